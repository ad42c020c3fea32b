"""The mistakes that `make mutation` plants still have their places in the core."""

import pytest
from mutate import MUTATIONS, ROOT


@pytest.mark.parametrize("name", MUTATIONS)
def test_mistake_can_be_planted(name):
    file, old, new = MUTATIONS[name]
    text = (ROOT / "runtime" / "core" / file).read_text()
    assert old in text, f"{file} no longer has {old!r}: plant {name!r} in another way"
    assert text.replace(old, new, 1) != text
