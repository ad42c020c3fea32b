"""The core as `kdpinn export --to c` writes it, compiled here for this processor."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from kdpinn_runtime import paths
from kdpinn_runtime.format import ModelFile

from ..engine_model import EngineModel, FloatArray

FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")
_ALIGN, _MODEL_BYTES, _MAX_PAIRS = 64, 1024, 136
_KINDS = {np.float32: (1, "kd_jet"), np.float64: (2, "kd_jet_f64")}


class _Channels(ctypes.Structure):
    """kd_channels."""

    _fields_ = (
        ("first", ctypes.c_uint32),
        ("pairs", ctypes.c_uint32),
        ("pair", ctypes.c_uint8 * (2 * _MAX_PAIRS)),
    )


@dataclass(frozen=True)
class CCore:
    """float32 and float64, with the vectors that the compiler's -march=native has."""

    name: str = "c"

    def missing(self) -> str:
        """A compiler, and the sources, which come with the runtime."""
        if not (paths.SOURCE / "kdpinn.c").exists():
            return "kdpinn-runtime has no C sources: install it again (pip install ./runtime)"
        return "" if shutil.which("gcc") else "apt-get install gcc"

    def open(self, model: ModelFile, data: bytes) -> EngineModel:
        """Compile the core, load the bytes."""
        core = _Core(_compiled(), model, data)
        return EngineModel(model, data[64:96].hex(), core.channels, (np.float64, np.float32))


@cache
def _compiled() -> ctypes.CDLL:
    """The core as a library, once for a process; its file goes as soon as it is loaded."""
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "kdpinn.so"
        command = ["gcc", *FLAGS, str(paths.SOURCE / "kdpinn.c"), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(f"gcc refuses the core's sources:\n{done.stderr}")
        return ctypes.CDLL(str(library))


class _Core:
    """A loaded model with a plan and a workspace for each arithmetic; not for several threads."""

    def __init__(self, library: ctypes.CDLL, model: ModelFile, data: bytes) -> None:
        self.library, self.file = library, model
        self.library.kd_plan_size.restype = ctypes.c_size_t
        self.library.kd_workspace_size.restype = ctypes.c_size_t
        self.library.kd_status_text.restype = ctypes.c_char_p
        self.memory: list[ctypes.Array[ctypes.c_char]] = []
        self.model = self._room(_MODEL_BYTES)
        content = self._room(len(data))
        ctypes.memmove(content, data, len(data))
        self._must(library.kd_load(self.model, content, ctypes.c_size_t(len(data))))
        whole = _Channels(first=1, pairs=len(model.pairs))
        whole.pair[: 2 * len(model.pairs)] = [k for pair in model.pairs for k in pair]
        self.wanted = {True: whole, False: _Channels()}
        self.plans = {dtype: self._plan(kind) for dtype, (kind, _) in _KINDS.items()}
        self.work = {
            (dtype, derivatives): self._room(
                library.kd_workspace_size(plan, ctypes.byref(self.wanted[derivatives]))
            )
            for dtype, plan in self.plans.items()
            for derivatives in (False, True)
        }

    def channels(self, x: FloatArray, derivatives: bool) -> FloatArray:
        """kd_jet."""
        x = np.ascontiguousarray(x)
        count = 1 + (len(self.file.inputs) + len(self.file.pairs) if derivatives else 0)
        out = np.empty((count, len(x), len(self.file.outputs)), x.dtype)
        dtype = x.dtype.type
        status = getattr(self.library, _KINDS[dtype][1])(
            self.plans[dtype],
            ctypes.byref(self.wanted[derivatives]),
            ctypes.c_size_t(len(x)),
            ctypes.c_void_p(x.ctypes.data),
            ctypes.c_void_p(out.ctypes.data),
            self.work[dtype, derivatives],
            None,
        )
        self._must(status)
        return out

    def _plan(self, kind: int) -> ctypes.c_void_p:
        plan = ctypes.c_void_p()
        memory = self._room(self.library.kd_plan_size(self.model, kind))
        self._must(self.library.kd_plan_init(ctypes.byref(plan), self.model, kind, None, memory))
        return plan

    def _room(self, size: int) -> ctypes.c_void_p:
        """Aligned memory that lives as long as this."""
        self.memory.append(ctypes.create_string_buffer(size + _ALIGN))
        address = ctypes.addressof(self.memory[-1])
        return ctypes.c_void_p(-(-address // _ALIGN) * _ALIGN)

    def _must(self, status: int) -> None:
        if status != 0:
            text = self.library.kd_status_text(status).decode()
            raise ValueError(f"the compiled core refuses: {text}")


ENGINE = CCore()
