# Sourced by the launcher and by the scripts: finds Node 24, and brings the packages in.

# The Node of node_modules (hashed in package-lock.json), else the machine's own.
find_node() {
  case $(uname -m) in aarch64) machine=arm64 ;; *) machine=x64 ;; esac
  if [ -x "node_modules/node-linux-$machine/bin/node" ]; then
    echo "$PWD/node_modules/node-linux-$machine/bin/node"
  else
    command -v node
  fi
}

# Whether the machine itself has npm; on Debian, apt has it.
ensure_npm() {
  command -v npm >/dev/null 2>&1 && return
  echo "homelab: npm is missing, installing it with apt-get (a minute or two)" >&2
  if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
  said=$(mktemp)
  {
    $as_root apt-get update -qq &&
      $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm ca-certificates
  } >"$said" 2>&1 || { cat "$said" >&2; exit 1; }
  rm -f "$said"
}

# clean_install [--omit=dev]: npm ci. An npm that runs on an old Node silently leaves out optional packages that want a
# newer one (npm 9 on Debian 12), so then a first pass brings our own Node, and a second one runs npm on it.
clean_install() {
  set -- --ignore-scripts --no-audit --no-fund --loglevel=error "$@"
  if [ "$(node -p 'parseInt(process.versions.node)')" -ge 22 ]; then npm ci "$@" >/dev/null; return; fi
  npm ci "$@" >/dev/null
  rm -rf .node && mkdir .node && cp "$(find_node)" .node/node
  PATH=$PWD/.node:$PATH NODE_NO_WARNINGS=1 npm ci "$@" >/dev/null
  rm -rf .node
}

# ensure_packages prod|dev: installs when package-lock.json changed or something is missing.
ensure_packages() {
  # A checkout that somebody develops in keeps its tools.
  if [ -e node_modules/.homelab-dev ]; then set -- dev; fi
  stamp="node_modules/.homelab-$1"
  [ -e "$stamp" ] && [ ! package-lock.json -nt "$stamp" ] && return
  # One at a time: two npm ci at once take each other's folders away.
  exec 9>.install.lock
  flock 9
  [ -e "$stamp" ] && [ ! package-lock.json -nt "$stamp" ] && { exec 9>&-; return; }
  ensure_npm
  echo "homelab: npm ci (once, and after updates)" >&2
  if [ "$1" = prod ]; then clean_install --omit=dev; else clean_install; fi
  rm -f node_modules/.homelab-prod node_modules/.homelab-dev
  touch "node_modules/.homelab-$1"
  exec 9>&-
}

# Bundles when a source is newer than the bundle.
ensure_bundle() {
  if [ -e dist/build-id ] && [ -z "$(find src package.json scripts/build.ts -newer dist/build-id -print -quit)" ]; then return; fi
  "$(find_node)" --disable-warning=ExperimentalWarning scripts/build.ts >&2
}

# Engines need more open files than the usual 1024, and what we start inherits this.
raise_open_files() {
  limit=$(ulimit -Hn)
  if [ "$limit" = unlimited ] || [ "$limit" -gt 65536 ]; then limit=65536; fi
  ulimit -n "$limit"
}

# What every script that runs real engines needs: the development packages, the bundle, and Debian's engines. Sets node and as_root.
ensure_engines() {
  ensure_packages dev
  ensure_bundle
  node=$(find_node)
  if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
  $as_root "$node" --disable-warning=ExperimentalWarning dist/main.js install-packages
}
