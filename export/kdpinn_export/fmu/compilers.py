"""From the sources to a shared library for one platform, by the compiler of that platform."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..kept import keep, kept_place
from .platforms import PLATFORMS, compiler_of, missing
from .sources import Sources, SourceSet

FLAGS = ("-std=c99", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-DKD_API=", "-w")


def library(name: str, sources: Sources, headers: Path) -> bytes:
    """The shared library of the sources for a platform.

    headers: the folder of the standard's C headers. Raises ValueError without a compiler,
    RuntimeError with the compiler's words if it refuses.
    """
    here, compiler = PLATFORMS[name], compiler_of(name)
    if compiler is None:
        raise ValueError(f"no FMU binary for {name} can be built here: {missing([name])}")
    with tempfile.TemporaryDirectory(prefix="kdpinn-fmu-") as made:
        folder = Path(made)
        for file, content in sources.files.items():
            (folder / file).write_bytes(content)
        sets = sources.dispatching(here.define, here.isas)
        jobs = [
            [compiler, *FLAGS, *here.flags, *each.flags, *_defines(each), f"-I{headers}", file]
            for each in sets
            for file in each.files
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda job: _compiled(folder, job, sources), jobs))
        target = f"library{here.suffix}"
        command = [compiler, "-shared", "-s", *objects, *here.link, "-o", target]
        _run(folder, command)
        return (folder / target).read_bytes()


def _defines(each: SourceSet) -> list[str]:
    return [f"-D{name}" for name in each.defines]


def _compiled(folder: Path, command: list[str], sources: Sources) -> str:
    """The object of one file; of the core's it is kept for the next model."""
    file = command[-1]
    target = f"{file}.o"
    place = None if file in sources.own else _kept(command, sources)
    if place is not None and place.exists():
        shutil.copyfile(place, folder / target)
        return target
    _run(folder, [*command[:-1], "-c", file, "-o", target])
    keep(place, (folder / target).read_bytes())
    return target


def _kept(command: list[str], sources: Sources) -> Path | None:
    """Where the object of a file of the core is kept."""
    version = subprocess.run([command[0], "--version"], capture_output=True, check=True).stdout
    own = {*sources.own, "config.h", "block.h"}
    contents = [
        (name, hashlib.sha256(content).hexdigest())
        for name, content in sorted(sources.files.items())
        if name not in own
    ]
    return kept_place(".o", version, command, contents)


def _run(folder: Path, command: list[str]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
