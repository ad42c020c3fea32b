#!/usr/bin/env python3
"""Writes the device part of the C core as two files: kdpinn.h and kdpinn.c.

    python runtime/tools/amalgamate.py FOLDER [--assimilate]

The result needs no build system: compile kdpinn.c as C99 or C++11 with the flags of the processor
(`-march=native`, `-mcpu=...`), which also choose the vectors. The same core gives the same bytes.

With --assimilate, kdpinn.c also has the functions of kdpinn_assimilate.h, which is written too.

A file of the core becomes a part of kdpinn.c. The kernels are one body for two precisions and any
vectors; in one file that body stands twice, and the names it defines get _f32 and _f64 appended.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CORE = Path(__file__).resolve().parents[1] / "core"
LEFT_OUT = ("reverse", "kernels_", "fixed")  # training, VECTORS below, a device of its own
PUBLIC = ("kdpinn.h", "kdpinn_assimilate.h")
SHARED = ("internal.h", *PUBLIC)
VECTORS = {  # best first, with the macros of a compiler whose target has them
    "avx512": ("__AVX512F__", "__AVX512DQ__", "__AVX512BW__", "__AVX512VL__"),
    "avx2": ("__AVX2__", "__FMA__", "__F16C__"),
    "neon": ("__ARM_NEON", "__aarch64__"),
    "wasm": ("__wasm_simd128__",),
    "scalar": (),
}

INTRODUCTION = """\
/* kdpinn runtime core {version} in one file; kdpinn.h is its interface.
 *
 * Written by runtime/tools/amalgamate.py from the core's files: change those, not this one.
 *
 *     cc -std=c99 -O3 -march=native -ffp-contract=off -c kdpinn.c          or a C++11 compiler
 *
 * Freestanding: no libc, no allocation, no writable data. Compilers may turn copies of structures
 * into memcpy, memmove, memset or memcmp, which they expect of freestanding systems too.
 *
 * One instruction set is built in: the best that the compiler's target has, or the one of
 * KD_USE_AVX512, KD_USE_AVX2, KD_USE_NEON, KD_USE_WASM, KD_USE_SCALAR that is defined.
 * KD_NO_F64 or KD_NO_F32 leaves out a precision: its plans are refused with KD_PRECISION.
 */
"""

PRAGMAS = """\
#if defined(__GNUC__) /* clang too */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function" /* vectors offer more than the kernels use */
#if defined(__cplusplus) && !defined(__clang__) /* in the intrinsics of gcc: its bug 105593 */
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#endif
"""

INCLUDE = re.compile(r'^#include "([^"]+)"\n', re.MULTILINE)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|(?:\.|->)\s*\w+|\w+', re.DOTALL)


def own_include(folder: Path, name: str) -> bool:
    """True for what belongs to the kernels: anything but the shared headers."""
    return (folder / name).exists() and name not in SHARED


def without_includes(text: str) -> str:
    """The core's own includes removed: here everything is one file."""
    return INCLUDE.sub("", text)


def with_local_functions(text: str) -> str:
    """Declarations of functions in internal.h made static: only the interface leaves the file."""
    return re.sub(
        r"^(?!static|typedef)(?=\w.*\bkd_\w+\(.*\);)", "static ", text, flags=re.MULTILINE
    )


def with_local_tables(text: str) -> str:
    """Tables of functions that are declared and then defined made static."""
    return re.sub(r"^extern (const \w+ .*);\n\1 =", r"static \1 =", text, flags=re.MULTILINE)


def expanded(path: Path) -> str:
    """A file with its own .inc and .h parts in place, the shared headers left out."""

    def part(match: re.Match[str]) -> str:
        return expanded(CORE / match[1]) if own_include(CORE, match[1]) else ""

    return INCLUDE.sub(part, path.read_text())


def file_scope_names(text: str) -> set[str]:
    """Names of the functions, types, tables and enumerators that `text` defines at file scope.

    The core's style makes them visible: they begin in the first column.
    """
    names: set[str] = set()
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for line in plain.splitlines():
        if line.startswith("static"):
            found = re.search(r"(\w+)\s*(?:\[[^=]*)?[(=;]", line)
            if found is None:
                sys.exit(f"amalgamate: no name in: {line}")
            names.add(found[1])
        elif line.startswith("typedef") and line.endswith(";"):
            names.add(re.findall(r"\w+", line)[-1])
        elif found := re.fullmatch(r"\} (\w+);", line):
            names.add(found[1])
        elif line.startswith("enum {"):
            names.update(re.findall(r"[{,]\s*(\w+)", line))
    return names


def renamed(text: str, names: set[str], suffix: str) -> str:
    """`text` with `suffix` appended to `names`, but not to members, nor in comments and strings."""

    def token(match: re.Match[str]) -> str:
        return match[0] + suffix if match[0] in names else match[0]

    return TOKEN.sub(token, text)


def choice() -> Iterator[str]:
    """Chooses the vectors where the user has not."""
    chosen = " || ".join(f"defined(KD_USE_{isa.upper()})" for isa in VECTORS)
    yield f"#if {chosen}\n#define KD_CHOSEN\n#endif\n"
    for isa, needs in VECTORS.items():
        here = " && ".join(["!defined(KD_CHOSEN)", *(f"defined({macro})" for macro in needs)])
        yield f"#if {here}\n#define KD_USE_{isa.upper()}\n#define KD_CHOSEN\n#endif\n"
    for number, isa in enumerate(VECTORS):
        yield f"#{'el' if number else ''}if defined(KD_USE_{isa.upper()})\n#define KD_ONLY {isa}\n"
    yield "#endif\n"


def kernels(bits: int) -> Iterator[str]:
    """The kernels of one precision, for whichever vectors are chosen."""
    headers = {isa: (CORE / f"simd_{isa}.h").read_text() for isa in VECTORS}
    body = expanded(CORE / "kernels.inc")
    names = file_scope_names(body).union(*map(file_scope_names, headers.values()))
    yield f"#ifndef KD_NO_F{bits}\n#define KD_BITS {bits}\n"
    for number, (isa, header) in enumerate(headers.items()):
        yield f"#{'el' if number else ''}if defined(KD_USE_{isa.upper()})\n"
        yield renamed(header, names, f"_f{bits}")
    yield "#endif\n"
    yield with_local_tables(renamed(body, names, f"_f{bits}"))
    macros = sorted({"KD_BITS", *DEFINE.findall("".join(headers.values()) + body)})
    yield "".join(f"#undef {macro}\n" for macro in macros)
    yield f"#endif /* KD_NO_F{bits} */\n"


def titled(name: str, text: str) -> str:
    """`text` under a heading that names the core's file."""
    return f"\n/* ======== {name} ======== */\n{text.strip()}\n"


def amalgamation(assimilate: bool) -> str:
    """The content of kdpinn.c."""
    version = re.search(r'kd_version\(void\) \{ return "([^"]+)"', (CORE / "status.c").read_text())
    if version is None:
        sys.exit("amalgamate: status.c does not say the version")
    left_out = LEFT_OUT if assimilate else (*LEFT_OUT, "assimilate")
    files = [path for path in sorted(CORE.glob("*.c")) if not path.name.startswith(left_out)]
    last = [path for path in files if path.name == "dispatch.c"]  # needs the kernels' tables
    headers = "".join(f'#include "{name}"\n' for name in PUBLIC[: 1 + assimilate])
    parts = [INTRODUCTION.format(version=version[1]), headers, *choice()]
    internal = without_includes((CORE / "internal.h").read_text())
    parts.append(titled("internal.h", with_local_functions(internal)))
    parts += [titled(path.name, expanded(path)) for path in files if path not in last]
    parts.append(titled("simd_*.h, functions.inc, layers.inc, kernels.inc", PRAGMAS))
    for bits in (32, 64):
        parts.append(titled(f"float{bits}", "".join(kernels(bits))))
    parts.append("\n#if defined(__GNUC__)\n#pragma GCC diagnostic pop\n#endif\n")
    parts += [titled(path.name, without_includes(path.read_text())) for path in last]
    return "".join(parts)


def main() -> None:
    """Writes both files into the folder."""
    parser = argparse.ArgumentParser(description="Writes the C core as kdpinn.h and kdpinn.c.")
    parser.add_argument("folder", type=Path, help="where to write them; made if missing")
    parser.add_argument("--assimilate", action="store_true", help="with kdpinn_assimilate.h")
    options = parser.parse_args()
    folder, assimilate = options.folder, options.assimilate
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: (CORE / name).read_text() for name in PUBLIC[: 1 + assimilate]}
    for name, text in {**texts, "kdpinn.c": amalgamation(assimilate)}.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
