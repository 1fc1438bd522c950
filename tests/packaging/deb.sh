#!/usr/bin/env bash
# Installs, upgrades, removes and purges the packages on a small Debian of their own, booted in a container without a
# network. `packaging/build-deb --test` calls it, as root.
#
#   deb.sh DIRECTORY-OF-THE-PACKAGES VERSION
#
# The Debian is made once (build/deb/machine) and only read by the tests, which write to memory.
set -euo pipefail
packages=$(realpath "$1") version=$2
here=$(realpath "$(dirname "$0")")

[[ $EUID -eq 0 ]] || {
    echo "$0: needs root, to boot a container" >&2
    exit 1
}

machine=$packages/machine
share=$packages/share
architecture=$(dpkg --print-architecture)
package=$packages/sallyport_${version}_$architecture.deb
kit=$packages/sallyport-dev_${version}_$architecture.deb
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

# Not registered: that works also where no systemd runs.
container() {
    timeout 600 systemd-nspawn --quiet --directory="$machine" --register=no --keep-unit --machine=packages-test "$@"
}

include=systemd,systemd-sysv,dbus,apt-utils,curl,iproute2,jq,logrotate
if [[ "$(cat "$machine/complete" 2>/dev/null)" != "$include" ]]; then
    echo "-- Making the Debian, once"
    rm -rf "$machine"
    debootstrap --variant=minbase --include="$include" bookworm "$machine" >"$packages/debootstrap.log"
    echo "$include" >"$machine/complete"
fi

# The same package under a lower version and with another default configuration: what is upgraded from.
echo "-- Making a previous version"
rm -rf "$share"
mkdir "$share"
dpkg-deb --raw-extract "$package" "$place/previous"
sed -i "s/^Version: .*/Version: $version~previous/" "$place/previous/DEBIAN/control"
echo "# A comment of the previous version." >>"$place/previous/etc/sallyport/sallyport.properties"
dpkg-deb --root-owner-group --build "$place/previous" "$share/previous.deb" >/dev/null
cp "$package" "$share/current.deb"

echo "-- Building and testing a new plugin with nothing but sallyport-dev"
dpkg-deb --extract "$kit" "$place/kit"
dpkg-deb --extract "$package" "$place/kit"
{
    "$place/kit/usr/bin/sallyport" plugin new hello --directory "$place/hello"
    cmake -S "$place/hello" -B "$place/hello/build" -DCMAKE_PREFIX_PATH="$place/kit/usr"
    cmake --build "$place/hello/build"
    ctest --test-dir "$place/hello/build" --no-tests=error --output-on-failure
} >"$packages/template.log"
cp "$place/hello/build/hello.so" "$share/"

echo "-- Fetching what the package depends on"
container --bind-ro="$share:/share" --console=pipe \
    sh -c 'apt-get update --quiet=2 && apt-get install --quiet=2 --yes --download-only /share/current.deb' \
    >"$packages/fetch.log" 2>&1 || {
    cat "$packages/fetch.log" >&2
    exit 1
}

# The container ends when the script has, and with its success.
cat >"$place/test.service" <<'UNIT'
[Unit]
Description=The test of the packages
After=multi-user.target
SuccessAction=exit
FailureAction=exit
FailureActionExitStatus=1
[Service]
Type=oneshot
ExecStart=/test.sh
StandardOutput=append:/share/log
StandardError=append:/share/log
UNIT

echo "-- Booting it, with no network"
status=0
container --volatile=overlay --private-network --console=pipe --bind="$share:/share" \
    --bind-ro="$here/deb_machine.sh:/test.sh" --bind-ro="$place/test.service:/etc/systemd/system/packages-test.service" \
    --boot systemd.wants=packages-test.service >"$packages/console.log" 2>&1 || status=$?
cat "$share/log"
if [[ $status -ne 0 ]]; then
    echo "$0: failed; what the machine said is in $packages/console.log" >&2
    exit 1
fi
