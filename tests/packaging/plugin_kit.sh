#!/usr/bin/env bash
# The way of a plugin author, as README.md tells it: Sallyport is installed; `plugin new` writes a plugin; it is built
# and tested against what was installed, and nothing else; it is dropped in, and its route answers.
#
#   plugin_kit.sh BUILD-DIRECTORY C++-COMPILER [FLAG...]
#
# The flags are those that what is installed was built with and what links it must be, such as -fsanitize=address.
set -euo pipefail
build=$1 compiler=$2 flags=${*:3}

place=$(mktemp -d)
daemon=
finish() {
    if [[ -n "$daemon" ]]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" || true
    fi
    rm -rf "$place"
}
trap finish EXIT
fail() {
    echo "$*"
    [[ ! -s "$place/log" ]] || cat "$place/log"
    exit 1
}

echo "-- Installing"
prefix=$place/prefix
cmake --install "$build" --prefix "$prefix" >"$place/installed"
sallyport=$prefix/bin/sallyport

echo "-- Without the template, it says what to install"
mv "$prefix/share/sallyport" "$place/away"
if "$sallyport" plugin new demo --directory "$place/demo" 2>"$place/complaint"; then
    fail "a plugin was written out of nothing"
fi
grep --quiet 'apt install sallyport-dev' "$place/complaint" || fail "$(cat "$place/complaint")"
mv "$place/away" "$prefix/share/sallyport"

echo "-- Writing a plugin, building it, testing it"
"$sallyport" plugin new demo --directory "$place/demo"
cd "$place/demo"
cmake -B build -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF >"$place/configured" || fail "$(cat "$place/configured")"
cmake --build build --parallel 2
ctest --test-dir build --output-on-failure --no-tests=error
if grep --quiet --recursive --fixed-strings "$build" build --include='*.ninja' --include='*.make' --include=CMakeCache.txt; then
    fail "the plugin was built with something that is not installed"
fi
exported=$(nm --dynamic --defined-only build/demo.so)
[[ $(wc -l <<<"$exported") == 1 && $exported == *' sallyport_plugin' ]] || fail "exported: $exported"

echo "-- Starting the daemon"
plugins=$prefix/lib/sallyport/plugins
[[ -d "$plugins" ]] || plugins=$(dirname "$(find "$prefix" -name prompts.so)")
"$prefix/sbin/sallyportd" -Dplugins.dir="$plugins" -Ddata.dir="$place/data" -Dworker.listen=127.0.0.1:0 \
    -Doperator.listen=127.0.0.1:0 -Ddemo.greeting=Welcome 2>"$place/log" &
daemon=$!
export SALLYPORT_DATA_DIR=$place/data
unset SALLYPORT_URL SALLYPORT_TOKEN SALLYPORT_CONFIG
grep --quiet --max-count=1 ' ready ' < <(tail --lines=+1 --follow --pid="$daemon" "$place/log" 2>/dev/null) ||
    fail "the daemon does not start"
"$sallyport" job create "Greet" --env-file "$place/job.env" >/dev/null
# shellcheck source=/dev/null
. "$place/job.env"
ask() {
    curl --silent --output "$place/answer" --write-out '%{http_code}' \
        --header "Authorization: Bearer $SALLYPORT_TOKEN" "$SALLYPORT_URL/demo"
}
[[ $(ask) == 404 ]] || fail "before the plugin is there: $(cat "$place/answer")"

echo "-- Dropping the plugin in"
cmake --install build
[[ -e "$plugins/demo.so" && ! -e "$plugins/demo.so.new" ]] || fail "$(ls "$plugins")"
env -u SALLYPORT_URL -u SALLYPORT_TOKEN "$sallyport" plugin reload
[[ $(ask) == 200 && $(cat "$place/answer") == '{"greeting":"Welcome, default"}' ]] || fail "$(cat "$place/answer")"

echo "-- Taking it away"
rm "$plugins/demo.so"
env -u SALLYPORT_URL -u SALLYPORT_TOKEN "$sallyport" plugin reload
[[ $(ask) == 404 ]] || fail "after the plugin has gone: $(cat "$place/answer")"
kill "$daemon"
status=0
wait "$daemon" || status=$?
daemon=
[[ $status == 0 ]] || fail "the daemon ended with $status"
