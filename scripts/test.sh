#!/bin/sh
# The whole test suite, with everything that it needs: Node, npm packages, the bundle, and Debian's engines.
# Arguments go to vitest, and leave the static checks out: npm test -- --project unit
set -eu
cd "$(dirname "$0")/.."
. ./scripts/node.sh
ensure_engines
# The test of what can be reached from outside makes two network namespaces.
command -v ip >/dev/null 2>&1 || DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq iproute2
# The guide asks the API as a reader would.
command -v curl >/dev/null 2>&1 || DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq curl

raise_open_files
[ $# -gt 0 ] || sh scripts/check.sh --static
exec "$node" --disable-warning=ExperimentalWarning node_modules/vitest/vitest.mjs run "$@"
