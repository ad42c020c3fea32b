import json
import re

import numpy as np
import pytest
from planted_networks import random_involution, symmetric_network

from kdpinn.geometry import Box
from kdpinn.places import Disk
from kdpinn.structure.alignment import align
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.relation import Finding, Structure, StudentAction
from kdpinn.structure.relation_file import read_relation, write_relation
from kdpinn.structure.ties import tie

DOMAIN = Box(x=(0, 1.1), y=(0, 0.4), holes=[Disk(radius=0.05, x=0.3, y=0.2)], units={"x": "m"})
MIRROR = InputMap(np.diag([1.0, -1.0]), np.array([0.0, 0.4]), np.array([1.0, -1.0]))


@pytest.fixture
def structure():
    rng = np.random.default_rng(0)
    unit = InputMap(MIRROR.matrix, np.zeros(2), MIRROR.characters)
    layers = symmetric_network(unit, [random_involution(6, rng), random_involution(5, rng)], rng)
    alignment = align(layers, unit)
    relation = tie((2, 6, 5, 2), [(unit, alignment)])
    return Structure(
        Group.generated_by([MIRROR]),
        DOMAIN,
        ("u", "v"),
        (Finding(MIRROR, (1e-6, 2e-6), (1.001, 1.2), (0.01, 0.4), True),),
        StudentAction((2, 6, 5, 2), 3, 1.001, (alignment.hidden,), relation),
        "channel",
        "Group of order 2.",
        7,
        (3, 4),
    )


def test_what_is_written_is_read(tmp_path, structure):
    path = tmp_path / "relation.json"
    write_relation(path, structure)
    back = read_relation(path)
    assert back.group.order == 2
    assert back.group.generators[0].same(MIRROR)
    assert (back.domain, back.outputs, back.problem) == (DOMAIN, ("u", "v"), "channel")
    assert (back.teacher_seed, back.student_seeds) == (7, (3, 4))
    assert back.findings[0].ratios == (1.001, 1.2)
    assert back.findings[0].ratio == 1.001
    assert np.array_equal(back.student.relation.index, structure.student.relation.index)
    assert np.array_equal(back.student.relation.sign, structure.student.relation.sign)
    for p, q in zip(back.student.permutations[0], structure.student.permutations[0]):
        assert np.array_equal(p.source, q.source)
        assert np.array_equal(p.sign, q.sign)
    write_relation(tmp_path / "again.json", back)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


CHANGES = {
    "another format": (lambda d: d.update(format="other"), "format"),
    "a later version": (lambda d: d.update(version=2), "version"),
    "an unknown key": (lambda d: d.update(more=1), "more"),
    "no generator": (lambda d: d.update(generators=[]), "generators"),
    "a character of 0": (lambda d: d["generators"][0].update(characters=[0, 1]), "characters"),
    "a text for a number": (lambda d: d["generators"][0].update(ratio="1"), "ratio"),
    "not a number": (lambda d: d["generators"][0].update(offset=[0.0, None]), "offset"),
    "a character too few": (lambda d: d["generators"][0].update(characters=[1]), "1 characters"),
    "a matrix that is not square": (
        lambda d: d["generators"][0].update(matrix=[[1.0, 0.0], [0.0]]),
        "not square",
    ),
    "a ratio of no student": (lambda d: d["generators"][0].update(ratio=0.5), "least of `ratios`"),
    "the generator twice": (
        lambda d: d["generators"].append(d["generators"][0]),
        "follows from those before",
    ),
    "a map that moves the domain": (
        lambda d: d["generators"][0].update(offset=[0.0, 0.5]),
        "does not preserve the domain",
    ),
    "a map that does not come back": (
        lambda d: d["generators"][0].update(matrix=[[1.0, 0.3], [0.0, 1.0]]),
        "more than 16 elements",
    ),
    "an input twice": (lambda d: d["inputs"].append(d["inputs"][0]), "occurs twice"),
    "another number of outputs": (lambda d: d.update(outputs=["u"]), "2 characters"),
    "sizes of another network": (lambda d: d["student"].update(sizes=[2, 6, 4, 2]), "parameters"),
    "sizes of other inputs": (lambda d: d["student"].update(sizes=[3, 6, 5, 2]), "do not go from"),
    "a gap in R": (
        lambda d: d["student"].update(index=[i + (i > 3) for i in d["student"]["index"]]),
        "without gaps",
    ),
    "no permutation": (
        lambda d: d["student"]["permutations"][0][0].update(source=[0, 0, 1, 2, 3, 4]),
        "do not permute",
    ),
    "too few permutations": (lambda d: d["student"].update(permutations=[]), "entry per generator"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_files_that_are_wrong_are_refused(tmp_path, structure, name):
    change, told = CHANGES[name]
    path = tmp_path / "relation.json"
    write_relation(path, structure)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"relation\.json .*{re.escape(told)}"):
        read_relation(path)


def test_files_that_are_no_json_are_refused(tmp_path):
    path = tmp_path / "relation.json"
    path.write_text('{"format": "kdpinn relation", ')
    with pytest.raises(ValueError, match=r"relation\.json is no relation file"):
        read_relation(path)
