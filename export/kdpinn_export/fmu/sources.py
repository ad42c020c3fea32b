"""The C of an FMU: the core, the standard's functions around it, and the model as an array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kdpinn_runtime.format import ModelFile
from kdpinn_runtime.paths import CORE

from .identity import Identity
from .options import MAX_POINTS, FmuOptions

GLUE = Path(__file__).parent / "c"
STANDARD = {2: ("fmi2.c",), 3: ("fmi3.c", "fmi3.h", "fmi3_variables.c")}
"""Files of the standard's functions, by its version."""
BITS = {"f32": 32, "f64": 64}
CHOSEN = ("kernels_", "dispatch.c")
"""What processor.c, and the flags of each instruction set, choose among."""
FOREIGN = ("reverse", "assimilate", "small_systems", "fixed", "simd_wasm", "kdpinn_")
"""Parts of the core that an FMU has no use for: training, assimilation, other devices."""


@dataclass(frozen=True, kw_only=True)
class SourceSet:
    """C files that are compiled alike: flags and macros (without values) for the compiler."""

    files: tuple[str, ...]
    flags: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """All files of an FMU's folder `sources`, and which of them belong to the model alone.

    files: name -> content; core: the C files that every model shares; own: the others.
    """

    files: dict[str, bytes]
    core: tuple[str, ...]
    own: tuple[str, ...]
    precision: str

    def portable(self) -> SourceSet:
        """What any C99 compiler builds without a flag: the scalar kernels."""
        return SourceSet(files=(*self.own, *self.core, self.kernel("scalar")))

    def kernel(self, isa: str) -> str:
        """The file of the kernels for an instruction set."""
        return f"kernels_{isa}_{self.precision}.c"

    def dispatching(self, define: str, isas: dict[str, tuple[str, ...]]) -> list[SourceSet]:
        """Kernels for several instruction sets, each with its own flags, chosen at run time."""
        shared = (*self.own, *self.core, self.kernel("scalar"))
        sets = [SourceSet(files=shared, defines=(define,))]
        return sets + [
            SourceSet(files=(self.kernel(isa),), flags=flags, defines=(define,))
            for isa, flags in isas.items()
        ]


def sources_of(model: ModelFile, data: bytes, identity: Identity, options: FmuOptions) -> Sources:
    """The folder `sources`; data: the model file's bytes."""
    files = dict(_core_files(options.precision))
    core = tuple(name for name in files if name.endswith(".c") and not name.startswith(CHOSEN))
    files |= {
        "processor.c": _processor(options.precision).encode(),
        "config.h": _config(model, data, identity, options).encode(),
        "model_file.c": _model_array(data).encode(),
    }
    shared = ("block.c", "block.h", "derivative.c", "states.c")
    glue = (*shared, *STANDARD[options.version])
    files |= {name: (GLUE / name).read_bytes() for name in glue}
    own = (*(name for name in glue if name.endswith(".c")), "model_file.c")
    return Sources(files=files, core=(*core, "processor.c"), own=own, precision=options.precision)


def _core_files(precision: str) -> Iterator[tuple[str, bytes]]:
    """The core without training's side and without the kernels of the other precision."""
    other = "f32" if precision == "f64" else "f64"
    for path in sorted(CORE.iterdir()):
        foreign = path.stem.startswith(FOREIGN) or path.stem.endswith(other)
        if path.suffix in (".c", ".h", ".inc") and not foreign:
            yield path.name, path.read_bytes()


def _processor(precision: str) -> str:
    left_out = "F32" if precision == "f64" else "F64"
    return (
        "/* Which kernels this FMU has: those of one precision. The macros KD_WITH_X86 and\n"
        " * KD_WITH_NEON add those of the processor's vectors to the scalar ones. */\n"
        f'#define KD_NO_{left_out}\n#include "dispatch.c"\n'
    )


def _config(model: ModelFile, data: bytes, identity: Identity, options: FmuOptions) -> str:
    names = [variable.name for variable in model.inputs]
    parameters = sum(1 << names.index(name) for name in options.parameters)
    constants = ", ".join(float(p.value).hex() for p in model.parameters) or "0"
    suffix = "_f64" if options.precision == "f64" else ""
    values = {
        "TOKEN": f'"{identity.token}"',
        "REAL": "double" if options.precision == "f64" else "float",
        "PRECISION": f"KD_F{BITS[options.precision]}",
        "EVALUATE": f"kd_eval{suffix}",
        "JET": f"kd_jet{suffix}",
        "TIME_INPUT": f"({options.time_input(model)}) /* the model's time; -1: it has none */",
        "PARAMETERS": f"{parameters}u /* inputs that stay as they are, as bits */",
        "ARRAYS": str(int(options.points > 0)),
        "POINTS": f"{options.points or 1}u",
        "MAX_POINTS": f"{MAX_POINTS}u",
        "CONSTANTS": "{" + constants + "}",
        "CONSTANT_COUNT": f"{len(model.parameters)}u",
        "SELFTEST": str(int(model.baseline is not None)),
    }
    macros = "".join(f"#define KD_FMU_{name} {value}\n" for name, value in values.items())
    return (
        f"/* {identity.description}: what is this model's own. */\n"
        "#ifndef KDPINN_CONFIG_H\n#define KDPINN_CONFIG_H\n\n#include <stdint.h>\n\n"
        f"{macros}\n"
        "typedef union { /* the core reads the file where it lies */\n"
        f"    unsigned char bytes[{len(data)}];\n    uint64_t aligned;\n}} kd_fmu_file;\n"
        "extern const kd_fmu_file kd_fmu_model;\n\n#endif\n"
    )


def _model_array(data: bytes) -> str:
    rows = (data[k : k + 24] for k in range(0, len(data), 24))
    text = ",\n".join(",".join(str(byte) for byte in row) for row in rows)
    return (
        "/* The model file, byte by byte. */\n"
        '#include "config.h"\n\n'
        f"const kd_fmu_file kd_fmu_model = {{{{\n{text}}}}};\n"
    )
