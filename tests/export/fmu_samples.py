"""FMUs for the tests, each built once, and a few words to run them by FMPy."""

import atexit
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from export_samples import model

import kdpinn_runtime
from kdpinn_export.fmu import FmuOptions, build_fmu
from kdpinn_runtime.format import ModelFile, pack

X, T, Y, U, V = 16, 17, 18, 32, 33  # value references: the model's inputs and outputs
TIME, POINTS, SHIFT, MARGIN, OUTSIDE, SELFTEST, NU = 0, 1, 2, 3, 4, 5, 48


@dataclass(frozen=True, eq=False)
class Fmu:
    """An FMU as a file and unpacked, and the model that it was made of."""

    path: Path
    folder: Path
    file: ModelFile
    options: FmuOptions

    @property
    def model(self):
        return kdpinn_runtime.load(pack(self.file), outside="count")

    @property
    def description(self):
        import fmpy

        return fmpy.read_model_description(self.path)

    def table(self, name):
        """A CSV file of its resources."""
        return np.genfromtxt(self.folder / "resources" / f"{name}.csv", delimiter=",", names=True)

    @contextmanager
    def instance(self, kind, *, start=None, started=True, said=None, **options):
        """An instance of "FMU2Slave", "FMU3Model", ...; `said`: list that takes its messages."""
        fmi = __import__(f"fmpy.fmi{self.options.version}", fromlist=["x"])
        about = self.description
        interface = about.coSimulation or about.modelExchange
        one = getattr(fmi, kind)(
            guid=about.guid if self.options.version == 2 else about.instantiationToken,
            modelIdentifier=interface.modelIdentifier,
            unzipDirectory=str(self.folder),
            instanceName="one",
            libraryPath=str(next(self.folder.glob("binaries/*/*.so"))),
        )
        listen = _listener(fmi, self.options.version, said if said is not None else [])
        one.instantiate(**listen, **options)
        first = 0.0 if start is None else start
        if started:
            if self.options.version == 2:
                one.setupExperiment(startTime=first)
                one.enterInitializationMode()
            else:
                one.enterInitializationMode(startTime=first)
            one.exitInitializationMode()
        try:
            yield one
        finally:
            one.freeInstance()


def _listener(fmi, version, said):
    if version == 3:
        return {"logMessage": lambda _, status, category, text: said.append(text.decode())}
    callbacks = fmi.fmi2CallbackFunctions()
    callbacks.logger = fmi.fmi2CallbackLoggerTYPE(
        lambda _, name, status, category, text: said.append(text.decode())
    )
    callbacks.allocateMemory = fmi.fmi2CallbackAllocateMemoryTYPE(fmi.calloc)
    callbacks.freeMemory = fmi.fmi2CallbackFreeMemoryTYPE(fmi.free)
    return {"callbacks": callbacks}


@cache
def folder():
    """A folder for the FMUs of this process, removed at its end."""
    made = tempfile.mkdtemp(prefix="kdpinn-fmu-tests-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def built(name, file, **options):
    """The FMU of a model file."""
    import fmpy

    asked = FmuOptions(**options)
    path = folder() / f"{name}.fmu"
    path.write_bytes(build_fmu(file, pack(file), name, asked))
    unpacked = path.with_suffix("")
    fmpy.extract(str(path), unzipdir=str(unpacked))
    return Fmu(path=path, folder=unpacked, file=file, options=asked)


FILES = {
    "plain": lambda: model((2, 9, 9, 1)),
    "three": lambda seed=0: model((3, 8, 8, 2), seed=seed),
    "bare": lambda: replace(model((1, 5, 1), physics=False), baseline=None, card={}),
}
FMUS = {
    "fmi2": ("plain", {}),
    "fmi2_time": ("three", {"time": "t", "parameters": ("y",)}),
    "fmi2_bare": ("bare", {"precision": "f32"}),
    "fmi3": ("plain", {"version": 3}),
    "fmi3_arrays": (
        "three",
        {"version": 3, "points": 5, "time": "t", "parameters": ("y",), "precision": "f32"},
    ),
}


@cache
def fmu(name):
    """One of FMUS."""
    file, options = FMUS[name]
    return built(name, FILES[file](), **options)
