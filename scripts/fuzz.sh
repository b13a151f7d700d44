#!/bin/sh
# The contract of the API under random requests: each answer of a real hub is held against its own document.
# HOMELAB_FUZZ_REQUESTS says how many (10,000), HOMELAB_FUZZ_SEED which ones: npm run fuzz
set -eu
cd "$(dirname "$0")/.."
. ./scripts/node.sh
ensure_engines

raise_open_files
exec "$node" --disable-warning=ExperimentalWarning tests/fuzz/main.ts
