#!/bin/bash
# Boot systemd on a layer over this machine's files, once for each script: `machine.py` calls this
# within new namespaces.
#
#   boot.sh SHARED N    SHARED has script-0 ... and gets output-0, code-0 ...
set -euo pipefail
shared=$1
n_scripts=$2

layer=$(mktemp -d)
mount --make-rprivate /
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work"
ip link set lo up

# It is booted in a group of its own, which is the root of what it sees.
groups=/sys/fs/cgroup
[ ! -d "$groups/unified" ] || groups=$groups/unified
group=$groups/har-machine-$$-$RANDOM
mkdir "$group"
leave() { # what was killed takes a moment to go
    for _ in $(seq 50); do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [ -d "$group" ] || return 0
        sleep 0.1
    done
}
trap leave EXIT

boot() { # NUMBER
    root=$layer/root-$1
    mkdir "$root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    for place in dev run tmp; do mount -t tmpfs tmpfs "$root/$place"; done
    cp -a /dev/{null,zero,full,random,urandom,tty} "$root/dev/"
    mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/shared"
    mount -t devpts -o newinstance devpts "$root/dev/pts"
    mount -t tmpfs tmpfs "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    mount --bind "$shared" "$root/run/shared"
    if [ "$1" = 0 ]; then
        cp -r "$shared/home/." "$root/root/"
        rm -rf "$root"/etc/mosquitto/{har.*,certs/*} "$root/etc/default/prometheus"
    fi
    cat >"$root/etc/systemd/system/script.service" <<END
[Unit]
After=multi-user.target
[Service]
Type=oneshot
WorkingDirectory=/root
Environment=HOME=/root PIP_NO_INDEX=1 PIP_FIND_LINKS=/run/shared/wheels
ExecStart=/bin/bash -c 'bash -ex /run/shared/script-$1 >/run/shared/output-$1 2>&1; code=\$\$?; [ \$\$code = 0 ] || journalctl --boot --no-pager --lines 60 >>/run/shared/output-$1; echo \$\$code >/run/shared/code-$1'
ExecStopPost=/bin/systemctl exit --force
END
    printf '[Unit]\nRequires=multi-user.target\nWants=script.service\n' \
        >"$root/etc/systemd/system/booted.target"
    # a process in the group makes the group the root of the namespace; it becomes systemd
    unshare --cgroup --pid --mount --fork --kill-child bash -c "
        set -e
        mount -t cgroup2 cgroup2 '$root/sys/fs/cgroup'
        cd '$root'
        mkdir -p run/before
        pivot_root . run/before
        umount -l /run/before
        mount -t proc proc /proc
        mount --make-rshared /  # as it is where systemd is no guest: credentials come that way
        exec env -i container=test PATH=/usr/sbin:/usr/bin \
            /lib/systemd/systemd --system --unit=booted.target --show-status=no --log-target=null
    " </dev/null
    umount -R "$root" || umount -l "$root"
}

for number in $(seq 0 $((n_scripts - 1))); do
    (echo "$BASHPID" >"$group/cgroup.procs" && boot "$number") || true
    [ "$(cat "$shared/code-$number" 2>/dev/null)" = 0 ] || break
done
