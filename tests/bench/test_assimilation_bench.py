"""Which models the benchmark of the assimilation takes."""

import numpy as np
import pytest

from kdpinn_bench.assimilation import main, read_model
from kdpinn_runtime import pack
from kdpinn_runtime.format import Layer, ModelFile, Variable


def model_of(*names):
    """The bytes of a network of u by `names`."""
    layers = (
        Layer(weight=np.ones((2, len(names))), bias=np.zeros(2), activation="tanh"),
        Layer(weight=np.ones((1, 2)), bias=np.zeros(1), activation="identity"),
    )
    return ModelFile(
        inputs=tuple(Variable(name=n, lower=0.01, upper=0.1) for n in names),
        outputs=(Variable(name="u", lower=-1.0, upper=1.0),),
        input_shift=np.zeros(len(names)),
        input_scale=np.ones(len(names)),
        output_shift=np.zeros(1),
        output_scale=np.ones(1),
        layers=layers,
    )


def test_any_student_of_the_family_is_taken_and_nothing_else(tmp_path, monkeypatch, capsys):
    path = tmp_path / "m.kdp"
    path.write_bytes(pack(model_of("x", "t", "nu")))
    assert read_model(path).parameters == 11
    path.write_bytes(pack(model_of("x", "t")))
    with pytest.raises(ValueError, match=r"m\.kdp gives u by x, t; .* burgers_family"):
        read_model(path)
    monkeypatch.setattr("sys.argv", ["assimilation", "--model", str(path)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "gives u by x, t" in capsys.readouterr().err
