#!/bin/sh
# Second stage of the image: what the program runs with, and nothing that only building needs, laid out below a folder.
#
#   deploy/image-layout.sh SOURCE TARGET       TARGET/opt/sluice, TARGET/usr/local/bin/sluice
set -eu
[ $# = 2 ] || { echo "image-layout: SOURCE TARGET expected" >&2; exit 1; }
source=$(readlink -f "$1")
root=$2/opt/sluice
[ -f "$source/dist/program/main.js" ] || { echo "image-layout: $source is not built: npm run build" >&2; exit 1; }

mkdir -p "$root/build" "$2/usr/local/bin"
cp -a "$source/bin" "$source/package.json" "$source/package-lock.json" "$source/LICENSE" "$root/"
mkdir -p "$root/dist" && cp -a "$source/dist/program" "$root/dist/"
find "$root/dist" -name '*.map' -delete
cp -a "$source/policies" "$root/"
cp -a "$source/build/sluice.node" "$source/build/sluice.bpf.o" "$root/build/"
# The packages that run, at their locked versions: what is built with stays behind.
"$source/node_modules/.bin/node" "$source/scripts/running-packages.ts" "$source" | while IFS= read -r package; do
  mkdir -p "$root/$(dirname "$package")"
  cp -a "$source/$package" "$root/$package"
done
mkdir -p "$root/node_modules/.bin"
ln -sf ../node/bin/node "$root/node_modules/.bin/node"
ln -sf /opt/sluice/bin/sluice "$2/usr/local/bin/sluice"
