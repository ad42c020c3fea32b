"""Files of every version that was ever released are read for ever, and mean what they meant.

keep_files.py adds to them; none is changed and none is removed.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from jet_bound import jet_bound
from test_core import UNIT

from kdpinn_runtime import load, pack, read, verify

FOLDER = Path(__file__).parent / "kept"
ANSWERS = json.loads((FOLDER / "answers.json").read_text())
COUNT = 18  # of version 1; a smaller number means that a file was lost


def test_none_is_lost():
    assert {path.name for path in FOLDER.glob("*.kdp")} == set(ANSWERS)
    assert sum(name.startswith("version1-") for name in ANSWERS) >= COUNT


@pytest.mark.parametrize("name", ANSWERS)
def test_it_is_read_and_means_what_it_meant(name):
    content, known = (FOLDER / name).read_bytes(), ANSWERS[name]
    assert hashlib.sha256(content).hexdigest() == known["sha256"], "a kept file was changed"
    model = load(content)
    x, jets = np.array(known["points"]), np.array(known["jets"])
    got = model.jet(x, ()).channels
    # Two evaluations, then and now, each within the bound of its rounding.
    bound = jet_bound(model.file, x, (), UNIT[np.float64]) + 64 * 2.0**-52 * np.abs(jets).max(
        axis=1
    )
    assert np.all(np.abs(got - jets).max(axis=1) <= 2 * bound)
    assert read(FOLDER / name).inputs == model.file.inputs
    if model.file.baseline is not None:
        first = verify(content, latency=False).checks[0]
        assert first.passed


@pytest.mark.parametrize("name", [n for n in ANSWERS if n.startswith("version1-")])
def test_it_is_still_written_in_the_same_bytes(name):
    """As long as version 1 is what we write: reading and writing give the file again."""
    content = (FOLDER / name).read_bytes()
    assert pack(read(FOLDER / name)) == content
