"""The loader's conditions are met both ways: the cases at their edges, and a count of branches."""

import shutil

import pytest
from kdp_surgery import refusal_of_core, refusal_of_python
from loader_cases import CASES
from loader_coverage import measure


@pytest.mark.parametrize("name", CASES)
def test_both_readers_agree_at_the_edges(name):
    code, data = CASES[name]
    assert refusal_of_core(data) == code
    assert (refusal_of_python(data) is None) == (code is None)


@pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("gcov")), reason="needs gcc and gcov to count"
)
def test_every_branch_of_the_loader_is_taken(tmp_path):
    branches, taken, missing = measure(tmp_path)
    assert branches > 400
    assert missing == {}, f"{taken} of {branches} branches"
