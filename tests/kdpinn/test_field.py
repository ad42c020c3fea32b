import numpy as np
import pytest
import torch

from kdpinn.field import Field
from kdpinn.jets import JetSpec


def make() -> Field:
    field = Field.create(
        inputs=("x", "t"),
        outputs=("u", "v"),
        lower=np.array([-1.0, 0.0]),
        upper=np.array([3.0, 0.5]),
        hidden=(6, 4),
        generator=torch.Generator().manual_seed(0),
        problem="wave",
    )
    shift, scale = torch.tensor([0.5, -2.0]).double(), torch.tensor([3.0, 0.25]).double()
    return Field(**{**vars(field), "output_shift": shift, "output_scale": scale})


def test_domain_goes_to_the_unit_box():
    field = make()
    corners = torch.tensor([[-1.0, 0.0], [3.0, 0.5], [1.0, 0.25]]).double()
    assert field.frame(corners, JetSpec(2, 0)).inputs.tolist() == [[-1, -1], [1, 1], [0, 0]]


def test_jets_are_derivatives_by_physical_coordinates():
    field = make()
    x = torch.tensor([[0.3, 0.1], [2.0, 0.4]]).double()
    h = torch.finfo(torch.float64).eps ** (1 / 3)  # best for central differences
    jets = field.jets(x, JetSpec(2, 1))
    for i in range(2):
        step = torch.zeros(2).double()
        step[i] = h
        slope = (field(x + step) - field(x - step)) / (2 * h)
        # h^2 times a third derivative of some ten to a hundred for a coordinate scaled by 4.
        assert (jets[1 + i] - slope).abs().max() < 1000 * h**2
    assert torch.equal(jets[0], field(x))


def test_values_are_the_same_in_chunks(monkeypatch):
    field = make()
    x = np.random.default_rng(0).random((50, 2))
    whole = field.values(x)
    monkeypatch.setattr("kdpinn.field.CHUNK", 7)
    np.testing.assert_allclose(field.values(x), whole, rtol=1e-14)
    assert whole.shape == (50, 2)


def test_saved_field_is_the_same_function(tmp_path):
    field = make()
    field.save(tmp_path / "f.safetensors")
    loaded = Field.load(tmp_path / "f.safetensors")
    assert (loaded.network, loaded.inputs, loaded.outputs, loaded.problem) == (
        field.network,
        ("x", "t"),
        ("u", "v"),
        "wave",
    )
    assert torch.equal(loaded.theta, field.theta)
    x = torch.rand(5, 2).double()
    assert torch.equal(loaded(x), field(x))
    assert [p.name for p in tmp_path.iterdir()] == ["f.safetensors"]


@pytest.mark.parametrize("cut", [0, 5, 40, -1])
def test_damaged_file_is_refused_by_name(tmp_path, cut):
    path = tmp_path / "f.safetensors"
    make().save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"f\.safetensors is no field"):
        Field.load(path)


def test_student_has_the_normalization_of_its_teacher():
    field = make()
    student = field.like((3,), torch.Generator().manual_seed(1))
    assert student.network.sizes == (2, 3, 2)
    assert torch.equal(student.output_scale, field.output_scale)
    assert torch.equal(student.input_shift, field.input_shift)


def test_lengths_must_fit():
    field = make()
    with pytest.raises(ValueError, match=r"`Field.theta` has shape \(56,\), got \(3,\)"):
        field.with_theta(torch.zeros(3))
