#!/bin/sh
# The bench: everything of ours beside the bare tool, in the same run. npm run bench -- create pooled runs a selection.
set -eu
cd "$(dirname "$0")/.."
. ./scripts/node.sh
ensure_engines

# pgbench opens 1,000 connections.
raise_open_files
exec "$node" --disable-warning=ExperimentalWarning tests/bench/main.ts "$@"
