#!/bin/sh
# Make the secrets of compose.yaml and kustomization.yaml, in a folder `secrets` beside it: certificates, passwords, logins.
# Needs openssl, and mosquitto_passwd or docker.
#
#   secrets.sh HOST...      each name or address by which phones call this machine
#   secrets.sh --phone NAME a login for a phone (or another name of mosquitto.acl)
#
# What is there stays. Others of this machine cannot enter the folder; the files in it can be read by
# whom compose gives them to, whatever number that user has.
set -eu
umask 077

if [ "$#" -lt 1 ] || { [ "$1" = --phone ] && [ "$#" -ne 2 ]; }; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
deploy=$(cd "$(dirname "$0")" && pwd)
secrets=${HAR_SECRETS:-$deploy/secrets}
mkdir -p "$secrets"

# password NAME: make it, unless it is there
password() { [ -e "$secrets/$1" ] || openssl rand -hex 24 >"$secrets/$1"; }

# The broker's file of logins is written anew from the passwords: it holds their hashes.
logins() {
    : >"$secrets/new-logins"
    for name in har-stream har-bridge har-web har-history phone-1 $(cat "$secrets/phones"); do
        password "$name"
        printf '%s:%s\n' "$name" "$(cat "$secrets/$name")" >>"$secrets/new-logins"
    done
    if command -v mosquitto_passwd >/dev/null; then
        mosquitto_passwd -U "$secrets/new-logins"
    else
        docker run --rm --user "$(id -u):$(id -g)" --volume "$secrets:/secrets" \
            --entrypoint mosquitto_passwd har-mosquitto -U /secrets/new-logins
    fi
    chmod 644 "$secrets/new-logins"
    mv "$secrets/new-logins" "$secrets/broker-logins"
}

touch "$secrets/phones"
if [ "$1" = --phone ]; then
    case $2 in *[!a-zA-Z0-9._-]* | "") echo "secrets.sh: $2: letters, digits and . _ -" >&2; exit 2 ;; esac
    grep -qx "$2" "$secrets/phones" || echo "$2" >>"$secrets/phones"
    logins
    chmod 644 "$secrets/$2"
    echo "the password of $2 is in $secrets/$2; let the broker read its logins again:"
    echo "docker compose -f $deploy/compose.yaml restart mosquitto"
    exit
fi

sh "$deploy/certificates.sh" "$secrets/certs" mosquitto localhost "$@"
logins
for name in postgres history-password web-password web-token grafana-admin; do
    password "$name"
done
printf 'postgresql://har:%s@postgres/har\n' "$(cat "$secrets/history-password")" \
    >"$secrets/history-database"
printf 'postgresql://web:%s@postgres/har\n' "$(cat "$secrets/web-password")" \
    >"$secrets/web-database"
find "$secrets" -mindepth 1 -type f ! -name ca.key -exec chmod 644 {} +
find "$secrets" -mindepth 1 -type d -exec chmod 755 {} +
chmod 700 "$secrets"
echo "made $secrets"
