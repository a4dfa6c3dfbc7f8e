#!/bin/sh
# First stage of the image: everything that building needs, then the build. In the root of the source tree.
set -eu
scripts/setup.sh build
PATH=$PWD/node_modules/.bin:$PATH
export PATH
node scripts/build.ts
