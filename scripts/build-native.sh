#!/usr/bin/env bash
# Builds the addon (build/sluice.node) and the BPF object (build/sluice.bpf.o). Does nothing when they are up to date.
#
#   scripts/build-native.sh          the usual build
#   scripts/build-native.sh --asan   the addon with AddressSanitizer, in build/asan/
#
# Plain g++ against the headers of two npm packages: no node-gyp, no downloads, and the result loads in every Node that
# has Node-API 8. libbpf, libxdp, libelf and zlib are linked statically, so that a node needs nothing but libc.
set -euo pipefail
cd "$(dirname "$0")/.."

output=build
flags=(-O2)
link=(-static-libstdc++ -static-libgcc)
if [ "${1:-}" = --asan ]; then
  output=build/asan
  flags=(-O1 -fsanitize=address -fno-omit-frame-pointer)
  link=(-fsanitize=address)
fi

missing() {
  echo "build-native: $1 is missing: apt-get install $2" >&2
  exit 1
}
multiarch="$(gcc -print-multiarch 2>/dev/null || true)"
libraries="/usr/lib/$multiarch"
command -v g++ >/dev/null || missing g++ g++
command -v clang-14 >/dev/null || missing clang-14 clang-14
command -v objcopy >/dev/null || missing objcopy binutils
command -v flock >/dev/null || missing flock util-linux
[ -e "$libraries/libbpf.a" ] || missing libbpf.a libbpf-dev
[ -e "$libraries/libxdp.a" ] || missing libxdp.a libxdp-dev
[ -e "$libraries/libelf.a" ] || missing libelf.a libelf-dev
[ -e "$libraries/libz.a" ] || missing libz.a zlib1g-dev
for package in node-addon-api node-api-headers; do
  [ -d "node_modules/$package" ] || { echo "build-native: node_modules/$package is missing: npm ci" >&2; exit 1; }
done

# stale TARGET SOURCE...: whether the target is older than any source, or than this script.
stale() {
  local target=$1 source
  shift
  [ -e "$target" ] || return 0
  for source in "$@" scripts/build-native.sh; do
    [ "$source" -nt "$target" ] && return 0
  done
  return 1
}

objects="$output/objects"
mkdir -p "$objects"
# Several suites may build at once.
exec 9>build/.lock
flock 9

bpf=build/sluice.bpf.o
if stale "$bpf" native/bpf/*; then
  echo "build-native: $bpf"
  clang-14 -target bpf -g -O2 -mcpu=v3 -Wall -Wextra -Werror -I"/usr/include/$multiarch" \
    -c native/bpf/sluice.bpf.c -o "$bpf.new"
  mv "$bpf.new" "$bpf"
fi

# One object per source, two at a time.
pending=()
linked=()
for source in native/addon/*.cc native/addon/*.c; do
  object="$objects/$(basename "$source").o"
  linked+=("$object")
  if stale "$object" "$source" native/addon/*.h; then
    echo "build-native: $object"
    case $source in
      *.cc) compiler=(g++ -std=c++17) ;;
      *) compiler=(gcc -std=gnu11) ;;
    esac
    "${compiler[@]}" "${flags[@]}" -g1 -fPIC -fvisibility=hidden -Wall -Wextra -Werror -D_GNU_SOURCE -DNAPI_VERSION=8 \
      -DNODE_ADDON_API_CPP_EXCEPTIONS -isystem node_modules/node-addon-api -isystem node_modules/node-api-headers/include \
      -c "$source" -o "$object" &
    pending+=($!)
    if [ ${#pending[@]} -ge 2 ]; then
      wait "${pending[0]}"
      pending=("${pending[@]:1}")
    fi
  fi
done
for process in "${pending[@]}"; do wait "$process"; done

addon="$output/sluice.node"
if stale "$addon" "${linked[@]}"; then
  echo "build-native: $addon"
  # Why this is done: native/addon/static_shims.c.
  for library in libbpf libxdp; do
    objcopy --redefine-sym stderr=sluice_stderr "$libraries/$library.a" "$objects/$library.a"
  done
  g++ -shared "${link[@]}" -o "$addon.new" "${linked[@]}" "$objects/libxdp.a" "$objects/libbpf.a" -L"$libraries" \
    -l:libelf.a -l:libz.a -Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,--as-needed
  mv "$addon.new" "$addon"
fi
