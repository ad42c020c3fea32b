"""Readings from outside: one clear error each, and nothing computed from a bad one."""

import json

import pytest

from kdpinn.twin.messages import MOST_READINGS, BadMessage, Reading, readings_of

GOOD = {"x": 0.25, "t": 1, "u": -0.5}


def read(*entries):
    return readings_of(json.dumps({"readings": list(entries)}), ("x", "t"), ("u", "v"))


def test_good_readings():
    assert read(GOOD, GOOD | {"v": 2, "sigma": 0.1}) == [
        Reading(at={"x": 0.25, "t": 1.0}, values={"u": -0.5}),
        Reading(at={"x": 0.25, "t": 1.0}, values={"u": -0.5, "v": 2.0}, sigma=0.1),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1, 2]", r'Expected \{"readings": \[\.\.\.\]\}, got \[1, 2\]'),
        ('{"readings": [], "more": 1}', "Expected"),
        ('{"readings": []}', f"list of 1 to {MOST_READINGS}"),
        ('{"readings": {"x": 1}}', f"list of 1 to {MOST_READINGS}"),
        (
            json.dumps({"readings": [GOOD] * (MOST_READINGS + 1)}),
            f"1 to {MOST_READINGS}.*\\.\\.\\.",
        ),
        ('{"readings": [3]}', "Reading 0 must be an object of numbers, got 3"),
    ],
)
def test_bad_messages(text, said):
    with pytest.raises(BadMessage, match=said):
        readings_of(text, ("x", "t"), ("u", "v"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"y": 1.0},
            "Reading 1 has 'y'; expected the coordinates 'x', 't', one or more of 'u', 'v'",
        ),
        ({"u": "0.5"}, "Reading 1: 'u' must be a finite number, got \"0.5\""),
        ({"u": None}, "'u' must be a finite number, got null"),
        ({"u": True}, "'u' must be a finite number, got true"),
        ({"u": float("nan")}, "'u' must be a finite number, got NaN"),
        ({"u": 10**400}, "'u' must be a finite number, got 10"),
        ({"sigma": 0}, "'sigma' must be > 0, got 0"),
        ({"sigma": -1.0}, "'sigma' must be > 0, got -1"),
    ],
)
def test_bad_readings(change, said):
    with pytest.raises(BadMessage, match=said):
        read(GOOD, GOOD | change)


def test_incomplete_readings():
    with pytest.raises(BadMessage, match="Reading 0 lacks the coordinates 't'"):
        read({"x": 0.0, "u": 1.0})
    with pytest.raises(
        BadMessage, match="Reading 0 has no value: expected one or more of 'u', 'v'"
    ):
        read({"x": 0.0, "t": 0.0, "sigma": 1.0})
