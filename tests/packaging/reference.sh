#!/usr/bin/env bash
# The public headers are documented completely: Doxygen has nothing to complain about.
#
#   reference.sh DOXYFILE
set -euo pipefail
doxyfile=$1

command -v doxygen >/dev/null || {
    echo "skipped: there is no doxygen"
    exit 77
}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
{
    cat "$doxyfile"
    echo "OUTPUT_DIRECTORY = $place"
} | doxygen -
[[ -s "$place/html/classsallyport_1_1Plugin.html" ]] || {
    echo "there is no page about Plugin"
    exit 1
}
