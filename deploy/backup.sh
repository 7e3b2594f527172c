#!/bin/sh
# Back up what docs/guides/operate.md has put in place: history, states, settings and logins.
#
#   backup.sh FOLDER    makes a folder in it, named by the time, and deletes those older than 30 days
#
# All of it is read while everything runs. The backups hold what people did, and passwords.
set -eu
umask 077

KEEP_DAYS=30

if [ "$#" -ne 1 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
mkdir -p "$1"
new=$1/$(date -u +%Y-%m-%dT%H%M%SZ)
mkdir "$new.part"
runuser -u postgres -- pg_dump --format=custom har >"$new.part/history.dump"
# a checkpoint is replaced as a whole, so a copy of it is one at any moment
tar -C / -czf "$new.part/state.tar.gz" --exclude=lock --exclude='*.part' \
    var/lib/har-stream var/lib/har-web
tar -C / -czf "$new.part/settings.tar.gz" etc/har-stream etc/mosquitto etc/ssl/har-stream.crt
mv "$new.part" "$new"
find "$1" -mindepth 1 -maxdepth 1 -type d -mtime "+$KEEP_DAYS" -exec rm -r {} +
echo "made $new"
