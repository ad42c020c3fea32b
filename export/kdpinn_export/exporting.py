"""From a model file to a folder of checked artefacts with a manifest: `export`."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdpinn_runtime import Check, unpack
from kdpinn_runtime.atomic import replacing

from .fmu.options import FmuOptions
from .narrowing import narrowing_checks
from .target import BUDGET, PRECISIONS, Precision, Refused, Request, Target, Unavailable

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One artefact that was written: `label` is its folder; files: name -> bytes and SHA-256."""

    label: str
    target: str
    precision: Precision
    derivatives: bool
    files: dict[str, dict[str, Any]]
    tools: dict[str, str]
    checks: tuple[Check, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(int(facts["bytes"]) for facts in self.files.values())

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "target": self.target,
            "precision": self.precision,
            "derivatives": self.derivatives,
            "bytes": self.size,
            "files": self.files,
            "tools": self.tools,
            "checks": [check.to_dict() for check in self.checks],
        }


def request_of(
    path: Path,
    precision: str = "f32",
    derivatives: bool = False,
    budget: float = BUDGET,
    fmu: FmuOptions | None = None,
) -> Request:
    """What is asked for, from a model file.

    Raises FormatError or OSError for the file, ValueError for an unknown precision or a budget
    that is no positive number.
    """
    if not budget > 0:
        raise ValueError(f"the budget for narrower weights is {budget:g}, expected a number > 0")
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; known are {', '.join(PRECISIONS)}")
    data = path.read_bytes()
    try:
        model = unpack(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Request(
        model=model,
        data=data,
        name=path.stem,
        precision=precision,
        derivatives=derivatives,
        budget=budget,
        fmu=fmu or FmuOptions(),
    )


def export(target: Target, request: Request, out: Path) -> Exported:
    """Build the artefact, check it, and only then put it into `out` and its manifest.

    The files go to the folder `label` of `out`, in place of what an earlier export left there.

    Raises:
        Refused: it is outside its bound; nothing was written.
        Unavailable: a tool is missing.
        ValueError: the target cannot express this model, precision or derivatives.
    """
    label = _label(target, request)
    _check_possible(target, request, label)
    manifest = _manifest(out, request)
    narrow = narrowing_checks(request)
    if any(check.passed is False for check in narrow):
        raise Refused(label, narrow)
    files = target.build(request)
    out.mkdir(parents=True, exist_ok=True)
    with _replacing_folder(out / label) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        checks = [*narrow, *target.check(request, folder)]
        if any(check.passed is False for check in checks):
            raise Refused(label, checks)
    exported = Exported(
        label=label,
        target=target.name,
        precision=request.precision,
        derivatives=request.derivatives,
        files={name: _facts(files[name]) for name in sorted(files)},
        tools=dict(sorted(target.tools().items())),
        checks=tuple(checks),
    )
    manifest["exports"][label] = exported.to_dict()
    _write_manifest(out, manifest)
    return exported


def _label(target: Target, request: Request) -> str:
    """The folder's name. FMI 2 and 3 are two kinds of file: a simulation may need both."""
    kind = "fmu3" if target.name == "fmu" and request.fmu.version == 3 else target.name
    return f"{kind}-{request.precision}" + ("-derivatives" if request.derivatives else "")


def _check_possible(target: Target, request: Request, label: str) -> None:
    if request.precision not in target.precisions:
        raise ValueError(
            f"target {target.name} has no precision {request.precision}; it has "
            f"{', '.join(target.precisions)}"
        )
    if request.derivatives and not target.derivatives:
        raise ValueError(f"target {target.name} has no derivatives: leave out --derivatives")
    if missing := target.missing():
        raise Unavailable(f"{label} cannot be made here: {missing}")


def _facts(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _manifest(out: Path, request: Request) -> dict[str, Any]:
    """That of the folder, or a new one.

    Raises ValueError if the folder holds exports of another model.
    """
    model = {"name": request.name, "digest": request.digest, **_facts(request.data)}
    path = out / MANIFEST
    if not path.exists():
        return {"model": model, "exports": {}}
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        same = found["model"]["digest"] == request.digest and isinstance(found["exports"], dict)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a manifest of exports: {error}; remove it") from error
    if not same:
        raise ValueError(
            f"{out} holds exports of another model ({found['model']['digest'][:12]}..., this one "
            f"is {request.digest[:12]}...): delete the folder, or choose another one with --out"
        )
    return found


def _write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    manifest["exports"] = dict(sorted(manifest["exports"].items()))
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(out / MANIFEST) as stream:
        stream.write(text.encode())


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends without an error."""
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    old = fresh.with_name(fresh.name + ".old")
    try:
        yield fresh
        fresh.chmod(0o755)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
