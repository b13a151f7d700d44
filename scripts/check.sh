#!/bin/sh
# What has to hold before a commit, in less than a minute: types, format, lint, import rule, dead code, unit tests.
# With --static, all but the unit tests.
set -eu
cd "$(dirname "$0")/.."
. ./scripts/node.sh
ensure_packages dev
node=$(find_node)

failed=
# check NAME WORDS...: runs one check, and goes on with the next whatever comes of it.
check() {
  name=$1
  shift
  if "$node" --disable-warning=ExperimentalWarning "$@"; then echo "ok      $name"; else
    echo "FAILED  $name" >&2
    failed="$failed $name"
  fi
}

check types node_modules/typescript/bin/tsc -p .
check format node_modules/oxfmt/bin/oxfmt --check src tests scripts
check lint node_modules/oxlint/bin/oxlint --deny-warnings src tests scripts
check imports scripts/check-imports.ts
check dead-code node_modules/knip/bin/knip.js --no-progress
# With CI set, a golden file that is missing fails instead of being written.
export CI=1
[ "${1-}" = --static ] || check unit node_modules/vitest/vitest.mjs run --project unit

[ -z "$failed" ] || { echo "homelab: these did not hold:$failed" >&2; exit 1; }
