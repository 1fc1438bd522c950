#!/usr/bin/env bash
# The systemd unit is right and stays in its sandbox, and its user can be made.
#
#   unit.sh UNIT DAEMON DIRECTORY-OF-packaging/systemd
set -euo pipefail
unit=$1 daemon=$2 files=$3

for tool in systemd-analyze systemd-sysusers; do
    command -v "$tool" >/dev/null || {
        echo "skipped: there is no $tool"
        exit 77
    }
done

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

# Tenths: 1.5 of 10. What it is now is 1.1; a line that goes lost costs 0.1 to 0.3.
systemd-analyze security --offline=true --threshold=15 --no-pager "$unit" >"$place/score" || {
    cat "$place/score"
    echo "the unit is exposed more than 1.5"
    exit 1
}
tail -n 1 "$place/score"

# The daemon need not be installed for this. A key that systemd does not know is a warning only: none may be.
sed "s,^ExecStart=[^ ]*,ExecStart=$daemon," "$unit" >"$place/sallyport.service"
systemd-analyze verify --man=no --recursive-errors=no "$place/sallyport.service" 2>&1 | tee "$place/complaints"
[[ ! -s "$place/complaints" ]] || exit 1

mkdir "$place/root" "$place/root/etc"
systemd-sysusers --root="$place/root" "$files/sallyport.sysusers"
grep -q '^sallyport:.*:/var/lib/sallyport:.*/nologin$' "$place/root/etc/passwd" || {
    cat "$place/root/etc/passwd"
    echo "the user is not as it should be"
    exit 1
}
