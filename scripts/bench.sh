#!/bin/sh
# The bench: everything of ours beside the bare tool, in the same run. npm run bench -- create pooled runs a selection.
set -eu
cd "$(dirname "$0")/.."
. ./scripts/node.sh
ensure_packages dev
ensure_bundle
node=$(find_node)
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
$as_root "$node" --disable-warning=ExperimentalWarning dist/main.js install-packages

# pgbench opens 1,000 connections.
raise_open_files
exec "$node" --disable-warning=ExperimentalWarning tests/bench/main.ts "$@"
