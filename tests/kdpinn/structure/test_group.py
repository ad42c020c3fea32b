"""Groups of input maps: closure, contradictions, and what they do to a domain."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from structure_groups import CYCLE, EXCHANGE, SWAP, signs, turn

from kdpinn.geometry import Box
from kdpinn.places import Disk
from kdpinn.structure.group import Group, InputMap

GROUPS = {
    "Z2": ([signs(-1, 1, u=(-1,))], 2),
    "Z2xZ2": ([signs(1, -1), signs(-1, 1, u=(-1,))], 4),
    "C4": ([turn(90, -1)], 4),
    "C6": ([turn(60, center=(1, 2))], 6),
    "S3": ([CYCLE, EXCHANGE], 6),
    "D4": ([SWAP, signs(-1, 1, u=(-1,))], 8),
    "D8": ([turn(45), signs(-1, 1)], 16),
    "mirror about 0.2": (
        [InputMap(np.diag([1.0, -1]), np.array([0, 0.4]), np.array([1.0, -1]))],
        2,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_closure_is_a_group(name: str) -> None:
    generators, order = GROUPS[name]
    group = Group.generated_by(generators)
    assert group.order == order
    assert group.elements[0].is_identity
    for a, b in itertools.product(range(order), repeat=2):
        product = group.elements[a].after(group.elements[b])
        assert product.same(group.elements[group.table[a, b]])
    for g, back in zip(group.elements, group.inverses, strict=True):
        assert g.inverse().same(group.elements[back])
        np.testing.assert_allclose(g(group.center[None])[0], group.center, atol=1e-12)
    for row in (*group.table, *group.table.T):
        assert sorted(row) == list(range(order))


def test_generators_that_follow_from_others_are_left_out() -> None:
    a, b = signs(1, -1), signs(-1, 1, u=(-1,))
    group = Group.generated_by([a, b, a.after(b), InputMap.identity(2, 1)])
    assert group.generators == (a, b)


def test_a_map_acts_on_points_and_composes() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 2))
    a, b = turn(30, center=(1, 0)), InputMap(np.diag([1.0, -1]), np.array([0, 0.4]), -np.ones(1))
    np.testing.assert_allclose(a.after(b)(x), a(b(x)), atol=1e-14)
    np.testing.assert_allclose(b.inverse()(b(x)), x, atol=1e-15)
    assert a.after(b).characters.tolist() == [-1.0]
    assert (turn(30).order, b.order, SWAP.order, CYCLE.order) == (12, 2, 2, 3)


def test_the_order_counts_the_signs() -> None:
    assert turn(90, -1).order == 4
    assert turn(120, -1).order == 6
    with pytest.raises(ValueError, match=r"within 16 applications"):
        _ = turn(10).order


@pytest.mark.parametrize(
    ("generators", "words"),
    [
        ([turn(120, -1)], "contradicts itself.*its own negative"),
        ([signs(-1, 1), signs(-1, 1, u=(-1,))], "contradicts itself"),
        ([turn(10)], "more than 16 elements"),
        ([InputMap(np.eye(2), np.array([1.0, 0]), np.ones(1))], "more than 16 elements"),
        ([], "at least one map"),
        ([SWAP, CYCLE], "same inputs and outputs"),
    ],
)
def test_what_is_no_group_is_refused(generators: list[InputMap], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Group.generated_by(generators)


@pytest.mark.parametrize(
    ("matrix", "offset", "characters", "words"),
    [
        (np.eye(2), np.zeros(3), np.ones(1), r"matrix \(d, d\)"),
        (np.eye(2), np.zeros(2), np.array([0.5]), r"\+1 or -1, got \[0.5\]"),
        (np.ones((2, 2)), np.zeros(2), np.ones(1), "no inverse"),
        (np.eye(2) * np.nan, np.zeros(2), np.ones(1), "finite"),
    ],
)
def test_what_is_no_map_is_refused(matrix, offset, characters, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words):
        InputMap(matrix, offset, characters)


def test_maps_are_told_in_words() -> None:
    assert signs(-1, 1, u=(-1,)).describe(("x", "t"), ("u",)) == "x -> -x, u -> -u"
    mirror = InputMap(np.diag([1.0, -1]), np.array([0, 0.41]), np.array([1.0, 1, -1]))
    assert mirror.describe("xy", "puv") == "y -> 0.41 - y, p -> p, u -> u, v -> -v"
    assert SWAP.describe("xy", "u") == "x -> y, y -> x, u -> u"
    assert InputMap.identity(2, 1).describe("xy", "u") == "identity"


CHANNEL = Box(x=(0, 2), y=(-1, 1), holes=[Disk(radius=0.1, x=0.5, y=0)])


@pytest.mark.parametrize(
    ("group", "domain", "words"),
    [
        ([signs(-1, 1)], Box(x=(-1, 1), y=(0, 1)), None),
        ([signs(1, -1)], Box(x=(-1, 1), t=(0, 1)), r"center of the domain, t = 0.5, to -0.5"),
        ([SWAP], Box(x=(0, 1), y=(0, 1)), None),
        ([SWAP], Box(x=(0, 1), y=(0, 2)), "another shape"),
        ([turn(90)], Box(x=(-1, 1), y=(-1, 1)), None),
        ([turn(60)], Box(x=(-1, 1), y=(-1, 1)), "another shape"),
        ([signs(1, -1)], CHANNEL, None),
        ([InputMap(np.diag([-1.0, 1]), np.array([2.0, 0]), np.ones(1))], CHANNEL, "no hole"),
        ([CYCLE], CHANNEL, "3 inputs, the domain has 2"),
    ],
)
def test_a_group_preserves_a_domain_or_says_why_not(
    group: list[InputMap], domain: Box, words: str | None
) -> None:
    reason = Group.generated_by(group).preserves(domain)
    if words is None:
        assert reason is None
    else:
        assert reason is not None
        assert re.search(words, reason), reason


def test_holes_are_seen_in_more_dimensions() -> None:
    disk = Disk(radius=0.1, x=0.5, y=0.5)
    box = Box(x=(0, 1), y=(0, 1), t=(-1, 1), holes=[disk])
    assert Group.generated_by([signs(1, 1, -1)]).preserves(box) is None
    swap = InputMap(np.eye(3)[[1, 0, 2]], np.zeros(3), np.ones(1))
    assert Group.generated_by([swap]).preserves(box) is None
    cube = Box(x=(0, 1), y=(0, 1), t=(0, 1), holes=[disk])
    assert "no hole" in str(Group.generated_by([CYCLE]).preserves(cube))
