#!/bin/sh
# The contract of the API under random requests: each answer of a real hub is held against its own document.
# HOMELAB_FUZZ_REQUESTS says how many (10,000), HOMELAB_FUZZ_SEED which ones: npm run fuzz
set -eu
cd "$(dirname "$0")/.."
. ./scripts/node.sh
ensure_packages dev
ensure_bundle
node=$(find_node)
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
$as_root "$node" --disable-warning=ExperimentalWarning dist/main.js install-packages

raise_open_files
exec "$node" --disable-warning=ExperimentalWarning tests/fuzz/main.ts
