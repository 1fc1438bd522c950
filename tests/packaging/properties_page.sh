#!/usr/bin/env bash
# The page sallyport.properties(5) has every key of the configuration file with its default, and is sound.
#
#   properties_page.sh PAGE PROPERTIES
set -euo pipefail
page=$1 properties=$2

keys() { sed -n 's/^#\([a-z][a-z_.]*\) = *\(.*\)$/\1 \2/p' "$properties"; }
count=$(keys | wc -l)
((count > 0)) || {
    echo "no keys in $properties"
    exit 1
}

# The macro and its argument are separated by as many blanks as the page likes.
lines=$(tr -s ' ' <"$page" | sed 's/ $//')
while read -r key value; do
    wanted=".It Va $key No ="
    [[ -z "$value" ]] || wanted+=" Li \"$value\""
    grep --quiet --line-regexp --fixed-strings "$wanted" <<<"$lines" || {
        echo "not in the page: $key = $value"
        exit 1
    }
done < <(keys)

shown=$(grep --count '^\.It Va ' "$page")
[[ "$shown" == "$count" ]] || {
    echo "the page has $shown keys, the file $count"
    exit 1
}

if command -v groff >/dev/null; then
    complaints=$(groff -mdoc -Tutf8 -ww -z "$page" 2>&1)
    [[ -z "$complaints" ]] || {
        echo "$complaints"
        exit 1
    }
fi
