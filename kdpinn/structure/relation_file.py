"""relation.json: the structure that a discovery found, for rebuilding and for other equations.

The file holds the domain, the generators as maps of physical coordinates with their characters
and evidence, and how they act on the neurons of one student: signed permutations layer by layer,
and the index and sign map R of its parameters.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from kdpinn.atomic import write_text
from kdpinn.geometry import Box
from kdpinn.places import Disk
from kdpinn.structure.alignment import SignedPermutation
from kdpinn.structure.fits import Array
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.relation import Finding, Structure, StudentAction
from kdpinn.structure.relation_schema import Generator, RelationFile, StudentTie
from kdpinn.structure.ties import Relation

FORMAT, VERSION = "kdpinn relation", 1


def write_relation(path: Path, structure: Structure) -> None:
    """Write the file, atomically."""
    text = json.dumps(_to_json(structure), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_relation(path: Path) -> Structure:
    """Read a file of `write_relation`.

    Raises:
        ValueError: it is no such file; the message lists all that is wrong.
        OSError: it cannot be read.
    """
    try:
        file = RelationFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        )
        raise ValueError(f"{path} is no relation file: {wrong}.") from None
    try:
        return _from_file(file)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path} contradicts itself: {error}") from None


# -- to JSON -------------------------------------------------------------------------------------


def _to_json(s: Structure) -> dict[str, Any]:
    names = s.domain.names
    return {
        "format": FORMAT,
        "version": VERSION,
        "problem": s.problem,
        "statement": s.statement,
        "inputs": [
            {"name": n, "lower": lower, "upper": upper, "unit": s.domain.unit(n)}
            for n in names
            for lower, upper in [s.domain.bounds(n)]
        ],
        "holes": [
            {"center": dict(zip(h.names, h.center, strict=True)), "radius": h.radius}
            for h in s.domain.holes
        ],
        "outputs": list(s.outputs),
        "generators": [generator_json(f, s) for f in s.findings],
        "student": None if s.student is None else _student_json(s.student),
        "seeds": {"teacher": s.teacher_seed, "students": list(s.student_seeds)},
    }


def generator_json(f: Finding, s: Structure) -> dict[str, Any]:
    """A generator with its evidence, as it stands in the file and in `kdpinn discover --json`."""
    return {
        "text": f.map.describe(s.domain.names, s.outputs),
        "matrix": f.map.matrix.tolist(),
        "offset": f.map.offset.tolist(),
        "characters": [int(c) for c in f.map.characters],
        "asymmetry": list(f.asymmetry),
        "ratio": f.ratio,
        "ratios": list(f.ratios),
        "residuals": list(f.residuals),
        "in_weights": f.in_weights,
    }


def _student_json(action: StudentAction) -> dict[str, Any]:
    return {
        "sizes": list(action.sizes),
        "seed": action.seed,
        "ratio": action.ratio,
        "permutations": [
            [{"source": p.source.tolist(), "sign": _whole(p.sign)} for p in layers]
            for layers in action.permutations
        ],
        "index": action.relation.index.tolist(),
        "sign": _whole(action.relation.sign),
    }


def _whole(sign: Array) -> list[int]:
    return [int(s) for s in sign]


# -- from JSON -----------------------------------------------------------------------------------


def _from_file(file: RelationFile) -> Structure:
    units = {c.name: c.unit for c in file.inputs}
    if len(units) < len(file.inputs) or len(set(file.outputs)) < len(file.outputs):
        raise ValueError("a name of an input or output occurs twice.")
    bounds: dict[str, Any] = {c.name: (c.lower, c.upper) for c in file.inputs}
    holes = [Disk(radius=h.radius, **h.center) for h in file.holes]
    domain = Box(units=units, holes=holes, **bounds)
    findings = tuple(_finding(g, domain, file.outputs) for g in file.generators)
    group = Group.generated_by([f.map for f in findings])
    if len(group.generators) != len(findings):
        raise ValueError("a generator follows from those before it.")
    reason = group.preserves(domain)
    if reason is not None:
        raise ValueError(f"a generator does not preserve the domain: {reason}.")
    return Structure(
        group,
        domain,
        tuple(file.outputs),
        findings,
        None if file.student is None else _action(file.student, file),
        file.problem,
        file.statement,
        file.seeds.teacher,
        tuple(file.seeds.students),
    )


def _finding(g: Generator, domain: Box, outputs: list[str]) -> Finding:
    if len(g.offset) != domain.dim or not (len(g.characters) == len(g.asymmetry) == len(outputs)):
        raise ValueError(
            f"generator '{g.text}' has {len(g.offset)} inputs, {len(g.characters)} characters and "
            f"{len(g.asymmetry)} asymmetries, the file {domain.dim} inputs and {len(outputs)} "
            "outputs."
        )
    if not g.ratios or len(g.ratios) != len(g.residuals) or g.ratio != min(g.ratios):
        raise ValueError(f"generator '{g.text}': `ratio` is the least of `ratios`, one a student.")
    if any(len(row) != domain.dim for row in g.matrix):
        raise ValueError(f"generator '{g.text}' has a matrix that is not square.")
    g_map = InputMap(np.array(g.matrix), np.array(g.offset), np.array(g.characters, np.float64))
    return Finding(g_map, tuple(g.asymmetry), tuple(g.ratios), tuple(g.residuals), g.in_weights)


def _action(student: StudentTie, file: RelationFile) -> StudentAction:
    sizes = tuple(student.sizes)
    parameters = sum(n * (k + 1) for k, n in pairwise(sizes))
    if len(sizes) < 2 or (sizes[0], sizes[-1]) != (len(file.inputs), len(file.outputs)):
        raise ValueError(
            f"the student's sizes {sizes} do not go from {len(file.inputs)} inputs to "
            f"{len(file.outputs)} outputs."
        )
    index, sign = np.array(student.index), np.array(student.sign, dtype=np.float64)
    used = np.unique(index[index >= 0])
    if not len(index) == len(sign) == parameters or not np.array_equal(used, np.arange(len(used))):
        raise ValueError(
            f"the student has {parameters} parameters, R names {len(index)} with {len(sign)} "
            "signs; free parameters are numbered from 0 without gaps."
        )
    if len(student.permutations) != len(file.generators):
        raise ValueError("`permutations` has an entry per generator.")
    permutations = tuple(
        tuple(SignedPermutation(np.array(p.source), np.array(p.sign, np.float64)) for p in layers)
        for layers in student.permutations
    )
    for layers in permutations:
        widths = [len(p.source) for p in layers]
        if widths != list(sizes[1:-1]) or any(
            not np.array_equal(np.sort(p.source), np.arange(len(p.source)))
            or len(p.sign) != len(p.source)
            for p in layers
        ):
            raise ValueError(f"`permutations` of widths {widths} do not permute {sizes[1:-1]}.")
    return StudentAction(sizes, student.seed, student.ratio, permutations, Relation(index, sign))
