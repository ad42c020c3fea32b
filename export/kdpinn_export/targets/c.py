"""C and C++: the whole core in two files, the model file as bytes, a program that checks both."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from kdpinn_runtime import Check, paths
from kdpinn_runtime.format import ModelFile, pack

from ..answers import KnownAnswers, known_answers
from ..boards import HOSTS, run_hosted, versions_of
from ..c_text import answers_header, defines, table
from ..narrowing import narrowed
from ..restating import restated
from ..target import PRECISIONS, Precision, Request

SOURCES = Path(__file__).parents[1] / "device" / "c"
FLAGS = ("-O1", "-ffp-contract=off", "-DKD_NO_F64", "-DKD_USE_SCALAR")
"""Of the check: one precision, without vectors; every build gives the same bits."""


@dataclass(frozen=True)
class C:
    """`kdpinn.h`, `kdpinn.c`, `model_data.h`, `main.c`, a Makefile, known answers."""

    name: str = "c"
    summary: str = "C99 or C++11: the core in two files, values and derivatives"
    precisions: tuple[Precision, ...] = PRECISIONS
    derivatives: bool = True

    def missing(self) -> str:
        """A C compiler for the check, and the core's sources, which come with the runtime."""
        if not (paths.SOURCE / "kdpinn.c").exists():
            return "kdpinn-runtime has no C sources: install it again (pip install ./runtime)"
        return "" if shutil.which("gcc") else "gcc is not installed: apt-get install gcc"

    def tools(self) -> dict[str, str]:
        """Compilers and emulators that check."""
        return versions_of([tool for host in HOSTS for tool in host.tools])

    def build(self, request: Request) -> dict[str, bytes]:
        """Core, model, program and known answers."""
        model = _model(request)
        data = request.data if model is request.model else pack(model)
        answers = _answers(request, model)
        more = {"KDPINN_DERIVATIVES": int(request.derivatives)}
        files = {name: (paths.SOURCE / name).read_bytes() for name in ("kdpinn.h", "kdpinn.c")}
        files |= {name: (SOURCES / name).read_bytes() for name in ("main.c", "Makefile")}
        return files | {
            "model_data.h": _model_header(data).encode(),
            "answers.h": answers_header(answers, more, names=True).encode(),
            "answers.json": answers.to_json(model=request.digest, engine="core, float32"),
        }

    def check(self, request: Request, folder: Path) -> list[Check]:
        """The program here and on the emulated processors whose tools are installed."""
        hosts = [host for host in HOSTS if not host.missing()]
        sources = ["main.c", "kdpinn.c"]
        return [run_hosted(host, folder, sources, FLAGS).check() for host in hosts]


def _model(request: Request) -> ModelFile:
    narrow = narrowed(request.model, request.precision)
    return narrow if narrow is request.model else restated(narrow)


def _answers(request: Request, model: ModelFile) -> KnownAnswers:
    return known_answers(model, derivatives=request.derivatives)


def _model_header(data: bytes) -> str:
    """The model file as an array, aligned as the core wants its bytes."""
    words = [f"0x{byte:02x}" for byte in data]
    text = "/* A model file, byte for byte. */\n#ifndef MODEL_DATA_H\n#define MODEL_DATA_H\n"
    text += "#include <stdint.h>\n" + defines({"KDPINN_MODEL_BYTES": len(data)})
    return text + table("uint8_t", "kdpinn_model", words, each=16, align=64) + "#endif\n"


TARGET = C()
