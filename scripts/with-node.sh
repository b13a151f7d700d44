#!/bin/sh
# Runs a program with this project's Node: the one of package-lock.json, or a newer one of the machine.
set -eu
cd "$(dirname "$0")/.."
. ./scripts/node.sh
exec "$(find_node)" "$@"
