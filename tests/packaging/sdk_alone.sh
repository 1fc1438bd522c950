#!/usr/bin/env bash
# Builds and installs the SDK without the rest of the tree, and builds the plugin template against what was
# installed; without its tests, which need what the host is made of.
#
#   sdk_alone.sh SDK-DIRECTORY C++-COMPILER
set -euo pipefail
sdk=$1 compiler=$2

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# A copy, so that nothing beside sdk/ can be reached.
cp -r "$sdk" "$place/sdk"
cp -r "$sdk/template" "$place/template"

cmake -S "$place/sdk" -B "$place/sdk-build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_INSTALL_PREFIX="$place/prefix"
cmake --build "$place/sdk-build"
cmake --install "$place/sdk-build"
rm -r "$place/sdk" "$place/sdk-build"

cmake -S "$place/template" -B "$place/build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$place/prefix" \
    -DBUILD_TESTING=OFF
cmake --build "$place/build"

nm --dynamic --defined-only "$place/build/plugin_name.so" | grep -q ' sallyport_plugin$'
