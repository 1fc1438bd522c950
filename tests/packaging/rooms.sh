#!/usr/bin/env bash
# The command line is a client of the operator door and of nothing else in host/: neither its sources nor what is linked
# have a part of the daemon. And nothing in host/ has a part of a plugin.
#
#   rooms.sh SOURCES SALLYPORT
set -euo pipefail
sources=$1 sallyport=$2
failed=0

complain() { # WHAT LINES
    [[ -z "$2" ]] || {
        printf '%s:\n%s\n' "$1" "$2"
        failed=1
    }
}

includes() { # ROOM ALLOWED-ROOMS
    grep --recursive --line-number --extended-regexp '#include "(host|plugins)/' "$sources/host/$1" |
        grep --invert-match --extended-regexp "#include \"host/($2)/" || true
}
complain "host/client includes what it must not" "$(includes client 'client|config')"
complain "host/cli includes what it must not" "$(includes cli 'cli|client|config')"

complain "host/ compiles or includes plugins" \
    "$(grep --recursive --line-number --extended-regexp \
        '(#include "|SOURCE_DIR\}/|^|[ (])plugins/[a-z_]+/|sallyport::plugins|plugin-[a-z]+-objects' "$sources/host" || true)"

rooms=$(nm --demangle "$sallyport" | grep --only-matching --extended-regexp 'sallyport::(host|plugins)::[A-Za-z_]+' | sort --unique)
grep --quiet --line-regexp sallyport::host::cli <<<"$rooms" || {
    echo "$sallyport has no symbols to look at"
    failed=1
}
complain "$sallyport has of the daemon" \
    "$(grep --invert-match --line-regexp --extended-regexp 'sallyport::host::(cli|client|config)' <<<"$rooms" || true)"
complain "$sallyport needs libraries that are the daemon's" \
    "$(readelf --dynamic --wide "$sallyport" | grep --extended-regexp 'NEEDED.*(PocoData|sqlite|curl|systemd|boost)' || true)"
exit $failed
