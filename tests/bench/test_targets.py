"""The table of targets: no row is missing, and the refitted i8 file beside a student is taken."""

from pathlib import Path

import pytest
from kdp_samples import sample

from kdpinn_bench.targets import PRECISIONS, rows_of, students, table_of
from kdpinn_export.grids import post_training
from kdpinn_export.relayered import relayered
from kdpinn_export.targets import known
from kdpinn_runtime import write

CHOSEN = ("onnx", "tensorrt")


@pytest.fixture
def student(tmp_path):
    """A student and its i8 form, in which nothing else is left to be rounded."""
    file = sample(sizes=(2, 5, 1))
    path = tmp_path / "runs" / "student.kdp"
    path.parent.mkdir()
    card = {"problem": "burgers", "preset": "tiny"}
    write(path, relayered(file, file.layers, card))
    narrow = relayered(file, post_training(file, ["i8", "i8"]), card)
    write(path.with_name("student-i8.kdp"), narrow)
    return path


def test_every_target_has_a_row_for_every_precision(student, tmp_path):
    targets = [known()[name] for name in CHOSEN]
    rows = list(rows_of(student, targets, tmp_path / "scratch"))
    assert [(r.target, r.precision) for r in rows] == [(t, p) for t in CHOSEN for p in PRECISIONS]
    wide, narrow, *_ = rows
    assert (wide.verdict, narrow.verdict) == ("pass", "pass")
    assert wide.student == narrow.student == "burgers tiny"
    assert narrow.error > 100 * wide.error, "what i8 moved is in it"
    assert all(r.verdict for r in rows)
    assert table_of(rows).row_count == len(rows)


def test_students_are_found_below_a_folder(student):
    assert students([student.parent.parent]) == students([student]) == [student]
    with pytest.raises(ValueError, match=r"no student\.kdp in .*nowhere: kdpinn run all"):
        students([Path("nowhere")])
