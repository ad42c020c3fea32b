import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from kdpinn import checkpoint


@dataclass(kw_only=True)
class Inner:
    matrix: Tensor
    scale: float = 1.0


@dataclass(kw_only=True)
class Outer:
    inner: Inner
    theta: Tensor
    maybe: Tensor | None = None
    count: int = 0
    text: str = ""
    value: float = math.nan


def make(**changes) -> Outer:
    inner = Inner(matrix=torch.eye(3, dtype=torch.float64) / 3, scale=0.1 + 0.2)
    return Outer(**{"inner": inner, "theta": torch.arange(4), "count": 7, "text": "é", **changes})


def template() -> Outer:
    return Outer(inner=Inner(matrix=torch.zeros(3, 3)), theta=torch.zeros(4), maybe=torch.ones(1))


def test_everything_comes_back_exactly(tmp_path):
    path = tmp_path / "run.checkpoint"
    checkpoint.write(path, make(value=math.inf), run="burgers seed 0")
    stored = checkpoint.read(path)
    back = checkpoint.restore(template(), stored)
    assert stored.run == "burgers seed 0"
    assert torch.equal(back.inner.matrix, make().inner.matrix)
    assert back.inner.scale == 0.1 + 0.2
    assert back.theta.tolist() == [0, 1, 2, 3]
    assert (back.maybe, back.count, back.text, back.value) == (None, 7, "é", math.inf)


def test_optional_tensor_and_nan_come_back(tmp_path):
    checkpoint.write(tmp_path / "c", make(maybe=torch.ones(2)), run="")
    back = checkpoint.restore(template(), checkpoint.read(tmp_path / "c"))
    assert back.maybe is not None
    assert back.maybe.tolist() == [1, 1]
    assert math.isnan(back.value)


def test_failed_write_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c"
    checkpoint.write(path, make(count=1), run="")

    def no_space(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        checkpoint.write(path, make(count=2), run="")
    assert checkpoint.read(path).scalars["count"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_damaged_file_is_refused_by_name(tmp_path, cut):
    path = tmp_path / "c"
    checkpoint.write(path, make(), run="")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match="is no checkpoint"):
        checkpoint.read(path)


def test_other_versions_and_other_states_are_refused(tmp_path, monkeypatch):
    checkpoint.write(tmp_path / "c", make().inner, run="")
    with pytest.raises(ValueError, match="no 'inner.matrix'"):
        checkpoint.restore(template(), checkpoint.read(tmp_path / "c"))
    monkeypatch.setattr(checkpoint, "VERSION", 2)
    with pytest.raises(ValueError, match="version 1, this is version 2"):
        checkpoint.read(tmp_path / "c")


@dataclass
class Unstorable:
    items: list[int] = field(default_factory=lambda: [1])


def test_only_plain_state_is_stored(tmp_path):
    with pytest.raises(TypeError, match="'items' is a list"):
        checkpoint.write(tmp_path / "c", Unstorable(), run="")
    assert not list(tmp_path.iterdir())
