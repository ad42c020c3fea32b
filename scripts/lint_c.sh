#!/usr/bin/env bash
# Compiles every file of the C core with warnings as errors, with gcc and with clang where present.
set -euo pipefail
cd "$(dirname "$0")/../runtime/core"
flags=(-std=c99 -O3 -ffp-contract=off -ffreestanding -fvisibility=hidden -fPIC
       -Wall -Wextra -Werror -pedantic)

isa_flags() {
    case "$1" in
        kernels_avx2*.c) echo -mavx2 -mfma ;;
        kernels_avx512*.c) echo -mavx512f -mavx512dq -mavx512bw -mavx512vl ;;
    esac
}

compilers=()
for compiler in gcc clang; do
    if command -v "$compiler" > /dev/null; then compilers+=("$compiler"); fi
done
[ ${#compilers[@]} -gt 0 ] || { echo "lint_c: neither gcc nor clang found" >&2; exit 1; }

for compiler in "${compilers[@]}"; do
    for file in *.c; do
        case "$(uname -m):$file" in
            x86_64:* | *:[!k]* | *:kernels_scalar*.c) ;;
            *) continue ;;      # an x86 kernel on another architecture
        esac
        # shellcheck disable=SC2046  # the ISA flags are words
        "$compiler" "${flags[@]}" $(isa_flags "$file") -c "$file" -o /dev/null
    done
    echo "lint_c: $compiler: no warnings"
done
