#!/usr/bin/env bash
# Compiles every file of the C core with warnings as errors, with gcc and with clang where present;
# the NEON files for AArch64 too.
# The flags are those of runtime/CMakeLists.txt.
set -euo pipefail
cd "$(dirname "$0")/../runtime/core"
flags=(-std=c99 -O3 -ffp-contract=off -ffreestanding -fvisibility=hidden -fPIC
       -Wall -Wextra -Werror -pedantic)
case "$(uname -m)" in
    x86_64) family=avx flags+=(-DKD_WITH_X86) ;;
    aarch64) family=neon flags+=(-DKD_WITH_NEON) ;;
    *) family=none ;;
esac

isa_flags() {
    case "$1" in
        *_avx2*.c) echo -mavx2 -mfma -mf16c ;;
        *_avx512*.c) echo -mavx512f -mavx512dq -mavx512bw -mavx512vl ;;
    esac
}

compilers=()
for compiler in gcc clang; do
    if command -v "$compiler" > /dev/null; then compilers+=("$compiler"); fi
done
[ ${#compilers[@]} -gt 0 ] || { echo "lint_c: neither gcc nor clang found" >&2; exit 1; }

for compiler in "${compilers[@]}"; do
    for file in *.c; do
        case "$family:$file" in
            neon:*_avx*.c | avx:*_neon*.c | none:*_avx*.c | none:*_neon*.c) continue ;;
        esac
        # shellcheck disable=SC2046  # the ISA flags are words
        "$compiler" "${flags[@]}" $(isa_flags "$file") -c "$file" -o /dev/null
    done
    echo "lint_c: $compiler: no warnings"
done

# Freestanding code needs no headers of the other system, so that clang checks NEON everywhere.
if [ "$family" != neon ] && [[ "$(clang --print-targets 2> /dev/null)" == *" aarch64 "* ]]; then
    for file in *_neon*.c; do
        clang --target=aarch64-linux-gnu "${flags[@]}" -c "$file" -o /dev/null
    done
    echo "lint_c: clang for AArch64: no warnings"
fi
