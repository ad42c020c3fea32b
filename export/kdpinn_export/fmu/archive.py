"""The FMU itself: all its files in one archive, the same bytes for the same model."""

from __future__ import annotations

import hashlib
import html
import importlib.util
import io
import json
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from kdpinn_runtime.format import ModelFile
from kdpinn_runtime.paths import SOURCE

from . import description2, description3
from .compilers import library
from .identity import GENERATOR, Identity, experiment, identifier_of
from .options import FmuOptions
from .platforms import PLATFORMS
from .reference import reference_tables
from .sources import Sources, sources_of
from .variables import FmuVariable, variables_of

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every file: the first that the archive's format knows."""


def build_fmu(model: ModelFile, data: bytes, name: str, options: FmuOptions) -> bytes:
    """The model as an FMU.

    Args:
        model, data: the model file, parsed and as its bytes; name: for people, and for the names
            of the binaries.
    Raises:
        ValueError: options that do not fit the model; no compiler for a platform; the standard's
            headers are not installed.
        RuntimeError: a compiler failed.
    """
    options.check(model)
    identity = _identity(data, name, options)
    variables = variables_of(model, options)
    sources = sources_of(model, data, identity, options)
    files = _descriptions(identity, model, variables, sources, options)
    files |= {f"sources/{file}": content for file, content in sources.files.items()}
    files["sources/LICENSE"] = (SOURCE / "LICENSE").read_bytes()
    files["resources/model.kdp"] = data
    tables = reference_tables(model, data, options)
    files |= {f"resources/{file}": content for file, content in tables.items()}
    files["documentation/index.html"] = _page(identity, model, variables)
    headers = header_folder()
    for platform in options.built_for:
        here = PLATFORMS[platform]
        folder = here.folder if options.version == 2 else platform
        path = f"binaries/{folder}/{identity.identifier}{here.suffix}"
        files[path] = library(platform, sources, headers)
    files["resources/manifest.json"] = _manifest(identity, options, files)
    return _zipped(files)


def header_folder() -> Path:
    """Where the standard's C headers lie: in the package fmpy, which is not imported for that.

    Raises ValueError if it is not installed.
    """
    found = importlib.util.find_spec("fmpy")
    folder = Path(found.origin).parent / "c-code" if found and found.origin else None
    if folder is None or not (folder / "fmi2Functions.h").exists():
        raise ValueError(
            "the headers of FMI come with the package fmpy, which is not installed: "
            "pip install 'kdpinn[fmu]'"
        )
    return folder


def _identity(data: bytes, name: str, options: FmuOptions) -> Identity:
    """With a token that changes with the model, the options that matter to it, and our version."""
    asked = asdict(options) | {"platforms": ()}
    about = repr((GENERATOR, sorted(asked.items()), hashlib.sha256(data).hexdigest()))
    token = uuid.UUID(bytes=hashlib.sha256(about.encode()).digest()[:16])
    return Identity(
        name=name,
        identifier=identifier_of(name),
        token=f"{{{token}}}",
        digest=data[64:96].hex(),
    )


def _descriptions(
    identity: Identity,
    model: ModelFile,
    variables: tuple[FmuVariable, ...],
    sources: Sources,
    options: FmuOptions,
) -> dict[str, bytes]:
    default = experiment(model, options)
    portable = sources.portable()
    if options.version == 2:
        content = description2.description(identity, variables, default, portable.files)
        return {"modelDescription.xml": content}
    builds = {"": [portable]} | {
        name: sources.dispatching(here.define, here.isas) for name, here in PLATFORMS.items()
    }
    return {
        "modelDescription.xml": description3.description(identity, variables, default),
        "sources/buildDescription.xml": description3.build_description(identity.identifier, builds),
    }


def _manifest(identity: Identity, options: FmuOptions, files: Mapping[str, bytes]) -> bytes:
    """What the FMU was made of, and the SHA-256 of every file in it but this one."""
    content = {
        "generator": GENERATOR,
        "model": {"name": identity.name, "digest": identity.digest},
        "token": identity.token,
        "options": asdict(options) | {"platforms": options.built_for},
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _page(identity: Identity, model: ModelFile, variables: tuple[FmuVariable, ...]) -> bytes:
    """The FMU's documentation: its variables and where the model comes from."""
    title = html.escape(str(model.card.get("title") or identity.name))
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in _cells(variable))
        + "</tr>\n"
        for variable in variables
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}</style></head>\n"
        f"<body><h1>{title}</h1>\n<p>A function of its inputs, without states: the outputs follow "
        "the inputs at once, with exact directional derivatives. <code>resources/model.kdp</code> "
        "is the model file; <code>resources/input.csv</code> and "
        "<code>resources/reference.csv</code> are known answers.</p>\n"
        f"<p>{html.escape(identity.description)}. Written by {html.escape(GENERATOR)}.</p>\n"
        "<table><tr><th>variable</th><th>is</th><th>unit</th><th>range</th><th></th></tr>\n"
        f"{rows}</table></body></html>\n"
    ).encode()


def _cells(variable: FmuVariable) -> tuple[str, ...]:
    bounds = "" if variable.lower is None else f"{variable.lower:g} to {variable.upper:g}"
    return variable.name, variable.causality, variable.unit, bounds, variable.description


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive with the model description first, all time stamps the same."""
    order = sorted(files, key=lambda name: (name != "modelDescription.xml", name))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in order:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)
    return stream.getvalue()
