#!/bin/sh
# Installs what is missing and nothing else: Debian packages by group, then the npm packages of package-lock.json.
#
#   scripts/setup.sh [build] [run] [test] [bench]      no group: npm packages only
#
# One line per step; a run with nothing to do prints nothing and takes well under a second. The stamp in node_modules
# is the hash of the lock file it was installed from. Needs nothing but a POSIX shell, so it can run before Node does.
set -eu
cd "$(dirname "$0")/.."

BUILD_PACKAGES="clang-14 llvm-14 libbpf-dev libxdp-dev libelf-dev zlib1g-dev g++ make"
RUN_PACKAGES="iproute2"
TEST_PACKAGES="iproute2 frr bird2 gobgpd exabgp tcpdump ethtool curl nftables iputils-ping iputils-arping traceroute nginx-light wrk tshark chromium prometheus jq"
BENCH_PACKAGES="iproute2 ethtool nftables haproxy nginx-light wrk curl xdp-tools"
STAMP=node_modules/.installed-lock-sha256

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

packages=""
for group in "$@"; do
  case "$group" in
    build) packages="$packages $BUILD_PACKAGES" ;;
    run) packages="$packages $RUN_PACKAGES" ;;
    test)
      packages="$packages $TEST_PACKAGES"
      # Any Go will do: it fetches the one that the API server of the tests needs.
      command -v go >/dev/null || [ -x /usr/local/go/bin/go ] || packages="$packages golang-go"
      ;;
    bench) packages="$packages $BENCH_PACKAGES" ;;
    *) fail "unknown group '$group'; groups are build, run, test and bench" ;;
  esac
done

# Names of the wanted packages that dpkg does not list as installed.
missing_packages() {
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null | sed -n 's/ installed$//p')
  for package in $packages; do
    printf '%s\n' "$installed" | grep -qxF -- "$package" || printf ' %s' "$package"
  done
}

# A package that brings a daemon (frr) would start it in the machine's own network: the policy forbids that while we
# install, and the unit is disabled afterwards, because the suites start their own routers in their own namespaces.
install_packages() {
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  log=$(mktemp)
  say "apt-get update"
  apt-get update -q >"$log" 2>&1 || say "apt-get update failed, trying with the lists at hand: $(tail -n 1 "$log")"
  say "apt-get install$1"
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $1 >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install:$1"
  fi
  rm -f "$log"
  for daemon in frr bird gobgpd exabgp nginx haproxy prometheus; do
    case "$1 " in
      *" $daemon"*) if command -v systemctl >/dev/null; then systemctl disable --quiet $daemon 2>/dev/null || true; fi ;;
    esac
  done
}

if [ -n "$packages" ]; then
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "this is not Debian; install the equivalents of these packages by hand:$packages"
  missing=$(missing_packages)
  if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || fail "not root, so these packages cannot be installed:$missing"
    install_packages "$missing"
  fi
fi

command -v npm >/dev/null || fail "npm is missing; apt-get install npm, or install any Node.js with npm 9 or newer"

# Two runs at once must not both replace node_modules: the lock file doubles as the mutex.
(
  flock 9
  wanted=$(sha256sum package-lock.json | cut -d ' ' -f 1)
  if [ ! -x node_modules/.bin/node ] || [ "$(cat $STAMP 2>/dev/null)" != "$wanted" ]; then
    # Not "npm ci": that refuses a lock file without the optional binaries of other platforms, which is what npm writes
    # where the registry lacks them. This installs the same locked versions and leaves the lock file alone.
    say "npm install of the locked versions"
    log=$(mktemp)
    installed() { npm install --no-save --no-audit --no-fund >"$log" 2>&1; }
    # npm leaves out optional packages that the Node it runs on is too old for, and Debian's is: the second round runs
    # npm on the Node that the first one brought. Debian's npm finds its own modules by a path its own Node knows.
    if ! installed || ! PATH="$PWD/node_modules/.bin:$PATH" NODE_PATH=/usr/share/nodejs installed; then
      tail -n 15 "$log" >&2
      rm -f "$log"
      fail "npm could not install the packages of package-lock.json"
    fi
    rm -f "$log"
    node_modules/.bin/node -e 0 || fail "the npm package 'node' did not bring a Node.js binary for $(uname -m)"
    printf '%s\n' "$wanted" >$STAMP
  fi
) 9<package-lock.json
