#!/bin/sh
# Make certificates for a broker: an authority of one's own and what it signs. Needs openssl.
#
#   certificates.sh FOLDER HOST...           ca.crt, ca.key, server.crt, server.key
#   certificates.sh --client FOLDER NAME     NAME.crt, NAME.key, for brokers that demand them
#
# HOST: each name or address by which clients call the broker. Run again to renew the server's
# certificate; the authority stays. Clients need ca.crt alone. Keep ca.key off the broker.
set -eu
umask 077

AUTHORITY_DAYS=3650
CERTIFICATE_DAYS=825 # iOS takes no longer ones

if [ "$#" -lt 2 ] || { [ "$1" = --client ] && [ "$#" -ne 3 ]; }; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
purpose=server
if [ "$1" = --client ]; then
    purpose=client
    shift
fi
folder=$1
shift
mkdir -p "$folder"
work=$(mktemp -d "$folder/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# sign REQUEST CERTIFICATE EXTENSIONS
sign() {
    openssl x509 -req -sha256 -days "$CERTIFICATE_DAYS" -in "$1" -out "$2" -extfile "$3" \
        -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
        2>"$work/messages" || { cat "$work/messages" >&2; exit 1; }
    chmod 644 "$2"
}

if [ ! -e "$folder/ca.key" ]; then
    new_key "$folder/ca.key"
    printf '%s\n' '[req]' 'distinguished_name = name' '[name]' '[authority]' \
        'basicConstraints = critical, CA:true' 'keyUsage = critical, keyCertSign, cRLSign' \
        'subjectKeyIdentifier = hash' >"$work/ca.cnf"
    openssl req -x509 -new -sha256 -days "$AUTHORITY_DAYS" -key "$folder/ca.key" \
        -config "$work/ca.cnf" -extensions authority \
        -subj "/CN=har-stream authority $(openssl rand -hex 4)" -out "$folder/ca.crt"
    chmod 644 "$folder/ca.crt"
    echo "made the authority $folder/ca.crt"
fi

if [ "$purpose" = server ]; then
    name=server
    names=
    for host in "$@"; do
        case $host in
        *:* | *[0-9].*[0-9].*[0-9].*[0-9])
            case $host in *[!0-9a-fA-F:.]*) kind=DNS ;; *) kind=IP ;; esac ;;
        *) kind=DNS ;;
        esac
        names="$names${names:+, }$kind:$host"
    done
    printf '%s\n' "subjectAltName = $names" 'extendedKeyUsage = serverAuth' >"$work/extensions"
    common_name=$1
else
    name=$1
    echo 'extendedKeyUsage = clientAuth' >"$work/extensions"
    common_name=$1
fi
printf '%s\n' 'basicConstraints = critical, CA:false' 'keyUsage = critical, digitalSignature' \
    'subjectKeyIdentifier = hash' 'authorityKeyIdentifier = keyid' >>"$work/extensions"
[ -e "$folder/$name.key" ] || new_key "$folder/$name.key"
printf '%s\n' '[req]' 'distinguished_name = name' '[name]' >"$work/request.cnf"
openssl req -new -sha256 -key "$folder/$name.key" -config "$work/request.cnf" \
    -subj "/CN=$common_name" -out "$work/request"
sign "$work/request" "$folder/$name.crt" "$work/extensions"
echo "made $folder/$name.crt, good for $CERTIFICATE_DAYS days"
