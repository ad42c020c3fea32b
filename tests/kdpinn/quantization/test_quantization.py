"""Quantization of small networks: what is planted is found, the refit keeps its promises."""

import re
from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model, sample
from narrow_samples import stored_as, widened
from tied_samples import tied_model
from typer.testing import CliRunner

from kdpinn.cli import app
from kdpinn.quantization import (
    Budget,
    RefitSettings,
    Subject,
    Wanted,
    advice,
    box_of,
    checked,
    each_layer,
    method_of,
    mixed_precision,
    quantize,
)
from kdpinn.quantization.coding import Coding, flat
from kdpinn.quantization.mixed import predicted_bytes
from kdpinn.quantization.straight_through import straight_through
from kdpinn_export.grids import NARROW
from kdpinn_export.relayered import relayered
from kdpinn_runtime import load, pack, read, verify, write

SIZES = (2, 6, 6, 1)
QUICK = RefitSettings(between=3, rounds=4)


def complete(file):
    """A sample with the limits and answers that belong to its weights, a card, and no problem."""
    return relayered(file, file.layers, {"problem": "unknown to everybody"})


def subject(file=None, **options):
    file = complete(sample(sizes=SIZES)) if file is None else file
    return Subject(file=file, box=box_of(file), **options)


@pytest.mark.parametrize("name", [None, "odd", "swap with signs and both", "four"])
def test_numbers_and_parameters_belong_together(name):
    file = bare_model(sizes=SIZES) if name is None else tied_model(name, hidden=(3, 2))
    coding = Coding.of(file, ("i8",) * len(file.layers))
    assert np.array_equal(coding.theta(coding.values), flat(file.layers))
    assert len(coding.values) == file.weight_count
    assert coding.narrow.sum() == sum(layer.weight.size for layer in file.stored_layers)


@pytest.mark.parametrize("precision", NARROW)
def test_the_refit_is_far_closer_than_rounding(precision):
    """And the file says the same as the layers that were judged."""
    about = subject()
    each = each_layer(about.file, precision)
    plain = quantize(about, each, method="post-training")
    fitted = quantize(about, each, settings=QUICK)
    closer = {"f16": 5, "i4": 3, "i6": 5}.get(precision, 20)
    assert fitted.distance * closer < plain.distance
    assert fitted.file.precisions == each
    assert fitted.file.weight_bytes == plain.file.weight_bytes
    values = load(pack(fitted.file))(about.check_points)
    base = load(pack(about.file))(about.check_points)
    distance = np.linalg.norm(values - base) / np.linalg.norm(base)
    assert distance == pytest.approx(fitted.distance, rel=1e-3)
    assert fitted.file.card["quantization"]["precisions"] == list(each)


def test_a_network_that_lies_on_a_grid_stays_there():
    planted = complete(widened(stored_as(sample(sizes=SIZES), "i8")))
    about = subject(planted)
    found = quantize(about, each_layer(planted, "i8"), settings=QUICK)
    assert found.distance < 1e-6


def test_tied_layers_keep_their_symmetry_exactly():
    file = tied_model("odd", hidden=(4, 3))
    about = subject(file)
    fitted = quantize(about, each_layer(file, "i8"), settings=QUICK)
    plain = quantize(about, each_layer(file, "i8"), method="post-training")
    assert fitted.distance * 10 < plain.distance
    model = load(pack(fitted.file))
    for generator in file.symmetry.generators:
        x = about.check_points[:100]
        moved = np.ascontiguousarray(x[:, list(generator.order)] * np.array(generator.signs))
        assert np.array_equal(model(moved), model(x) * np.array(generator.outputs))


def test_straight_through_training_lies_between():
    about = subject()
    each = each_layer(about.file, "i6")
    coding = Coding.of(about.file, each)
    plain = quantize(about, each, method="post-training").distance
    values, scales = straight_through(coding, about.objective, steps=150)
    assert np.array_equal(coding.nearest(values, scales), values)
    assert about.distance(coding.stored(values, scales)) < 0.8 * plain


def test_a_quantized_file_verifies_itself():
    done = quantize(subject(), ("i8", "i6", "f16"), settings=QUICK)
    verdict = verify(load(pack(done.file)), latency=False)
    assert verdict.passed, str(verdict)


def test_the_search_for_an_error_finds_a_small_file():
    about = subject()
    found = mixed_precision(about, Wanted(error=3e-3), settings=QUICK)
    assert found.distance <= 3e-3
    uniform = quantize(about, each_layer(about.file, "i8"), method="post-training")
    assert found.weight_bytes < uniform.file.weight_bytes
    wanted = Wanted(error=3e-3, among=("i4", "i8", "i12"))
    integers = mixed_precision(about, wanted, settings=QUICK)
    assert integers.distance <= 3e-3
    assert set(integers.quantized.precisions) <= {"i4", "i8", "i12"}


def test_the_search_beats_uniform_bits_at_the_same_bytes():
    about = subject()
    uniform = quantize(about, each_layer(about.file, "i8"), settings=QUICK)
    mixed = mixed_precision(about, Wanted(like="i8"), settings=QUICK)
    assert mixed.weight_bytes <= uniform.file.weight_bytes
    assert mixed.distance < uniform.distance / 1.2


@pytest.mark.parametrize("both", [{}, {"error": 1e-3, "like": "i8"}])
def test_bits_are_chosen_for_one_thing(both):
    with pytest.raises(ValueError, match="either for an `error` or .*`like`; got error="):
        Wanted(**both)


@pytest.mark.parametrize("file", [None, tied_model("odd", hidden=(4, 3))])
def test_bytes_of_a_choice_are_known_before_it_is_made(file):
    about = subject(file)
    chosen = ("f16", "i4", "f32")
    done = quantize(about, chosen, method="post-training")
    assert predicted_bytes(about.file, chosen) == done.file.weight_bytes


def test_fine_grids_make_up_for_coarse_ones():
    """Each part of a coding freezes what is coarsest of the rest; the last one has it all."""
    file = subject().file
    coding = Coding.of(file, ("f16", "i4", "i12"))
    parts = coding.coarsest_first()
    sizes = [layer.weight.size for layer in file.layers]
    assert [int(part.narrow.sum()) for part in parts] == list(
        np.cumsum([sizes[k] for k in (1, 2, 0)])
    )
    assert np.array_equal(parts[-1].row, coding.row)
    about = subject()
    coarse = quantize(about, ("f32", "i4", "f32"), settings=QUICK).distance
    assert quantize(about, ("f16", "i4", "i12"), settings=QUICK).distance < 1.5 * coarse


def test_the_gate_names_what_failed_the_layer_and_what_would_fit():
    about = subject()
    done = quantize(about, each_layer(about.file, "i4"), method="post-training")
    checks = checked(about, done, Budget(error=1e-3))
    assert not all(check.passed for check in checks)
    told = advice(about, done, checks)
    assert "error" in told
    assert "costs most" in told
    choice, size = re.search(r"--precision ([\w,]+), (\d+) bytes", told).groups()
    fitting = quantize(about, each_layer(about.file, choice), method="post-training")
    assert all(check.passed for check in checked(about, fitting, Budget(error=1e-3)))
    assert fitting.file.weight_bytes == int(size)
    close = quantize(about, each_layer(about.file, "i16"), settings=QUICK)
    assert all(check.passed for check in checked(about, close, Budget()))


def test_a_damaged_layer_fails_each_check():
    """The gate sees an error, a residual and a derivative that are wrong."""
    about = subject()
    good = quantize(about, each_layer(about.file, "i16"), settings=QUICK)
    first = about.file.layers[0]
    changed = replace(first, weight=first.weight * np.float32(1.5))
    bad = relayered(about.file, (changed, *about.file.layers[1:]), {})
    damaged = replace(good, file=bad, distance=about.distance(bad.layers))
    failed = {check.name for check in checked(about, damaged, Budget()) if not check.passed}
    assert failed == {"error", "residual of momentum", "derivative"}


def test_wrong_use_is_said():
    file = subject().file
    assert each_layer(file, "i8, i4,f16") == ("i8", "i4", "f16")
    with pytest.raises(ValueError, match="names 2 layers, the model has 3"):
        each_layer(file, "i8,i4")
    with pytest.raises(ValueError, match="no method 'magic'.*refit"):
        method_of("magic")
    with pytest.raises(ValueError, match=r"ascend to 1, got \(0.5,\)"):
        RefitSettings(fractions=(0.5,))
    with pytest.raises(ValueError, match=r"Budget.error.*> 0, got 0"):
        Budget(error=0)


def test_the_command_writes_a_file_or_says_why_not(tmp_path):
    source = tmp_path / "student.kdp"
    write(source, subject().file)
    run = CliRunner().invoke(app, ["quantize", str(source), "--precision", "i12"])
    assert run.exit_code == 0, run.output
    target = tmp_path / "student-i12.kdp"
    assert read(target).precisions == ("i12",) * 3
    assert "weights as i12,i12,i12" in run.output
    options = ["--precision", "i4", "--method", "post-training", "--out", str(tmp_path / "no.kdp")]
    run = CliRunner().invoke(app, ["quantize", str(source), *options])
    assert run.exit_code == 1
    assert "Nothing was written" in run.output
    assert not (tmp_path / "no.kdp").exists()
    run = CliRunner().invoke(app, ["quantize", str(source), "--precision", "i7"])
    assert run.exit_code == 2
    assert "There is no precision 'i7'" in run.output
    among = ["--precision", "auto", "--error", "0.05", "--among"]
    options = ["--residual", "10", "--derivative", "1", "--out", str(tmp_path / "auto.kdp")]
    run = CliRunner().invoke(app, ["quantize", str(source), *among, "i4,i6", *options])
    assert run.exit_code == 0, run.output
    assert set(read(tmp_path / "auto.kdp").precisions) <= {"i4", "i6"}
    run = CliRunner().invoke(app, ["quantize", str(source), *among, "i4,i7"])
    assert run.exit_code == 2
    assert "There is no precision 'i7'" in run.output
    run = CliRunner().invoke(app, ["quantize", str(source), "--among", "i4"])
    assert run.exit_code == 2
    assert "--among is for --precision auto" in run.output
