"""Tables of rebuilt networks: medians, counts, and the published figures beside ours."""

from __future__ import annotations

import pytest

from kdpinn_bench.published import PUBLISHED, lines, table
from kdpinn_bench.rebuilding import NETWORKS
from kdpinn_bench.rebuilding import table as rebuilt_table
from kdpinn_bench.rebuilding_cases import ADAM, cases


def row(case, tied, plain, mean=None):
    networks = {
        "tied": {"parameters": 44, "rel_l2": tied, "sizes": [2, 8, 1]},
        "plain": {"parameters": 177, "rel_l2": plain, "sizes": [2, 8, 1]},
    }
    if mean is not None:
        networks["mean"] = {"parameters": 177, "rel_l2": mean, "sizes": [2, 32, 1]}
    return {"case": case, "seed": 0, "number": 0, "networks": networks}


def test_every_published_case_is_measured_with_both_optimizers():
    found = {case.name for case in cases()}
    for published in PUBLISHED:
        assert published.cases[0] in found
        assert published.cases[0] + ", Adam" in found


def test_adam_is_all_that_trains_where_it_is_said():
    for case in cases():
        training = case.recipe().training
        if case.name.endswith(", Adam"):
            assert (training.adam, training.adam_rate) == (ADAM["adam"], ADAM["adam_rate"])
            assert (training.iterations, training.last_iterations) == (0, 0)
        else:
            assert training.adam == 0


def test_no_two_cases_are_the_same():
    keys = [(case.name, case.seed, case.number) for case in cases()]
    assert len(set(keys)) == len(keys)


def test_published_figures_stand_before_the_medians_of_ours():
    poisson = PUBLISHED[1]
    rows = [
        row("poisson", 1e-7, 3e-6, 2e-6),
        row("poisson", 3e-7, 1e-6, 2e-6),
        row("poisson", 2e-7, 2e-6, 2e-6),
        row("poisson, Adam", 1e-3, 2e-3),
        row("laplace, width 8", 1.0, 1.0),
    ]
    found = list(lines(poisson, rows))
    assert [line.figure for line in found[:3]] == list(poisson.figures)
    ours = [(line.network.split(",")[0], line.figure, line.runs) for line in found[3:]]
    assert ours == [
        ("plain", 2e-3, 1),
        ("tied by the group", 1e-3, 1),
        ("plain", 2e-6, 3),
        ("plain", 2e-6, 3),
        ("tied by the group", 2e-7, 3),
    ]
    assert table(poisson, rows).row_count == 8


def test_viscosities_are_told_in_per_cent():
    # Psi-NN found 4.084e-2 where 4.0e-2 is true.
    assert PUBLISHED[3].figures[2] == pytest.approx(2.1)
    assert PUBLISHED[2].figures[0] == pytest.approx(182.0)


def test_old_rows_without_a_mean_are_still_shown():
    rows = [row("poisson", 1e-7, 3e-6), row("poisson", 3e-7, 1e-6, 2e-6)]
    shown = rebuilt_table(rows)
    assert shown.row_count == 3
    assert list(shown.columns[-1].cells) == ["", "2 of 2", "1 of 1"]
    assert set(NETWORKS) == {"tied", "plain", "equal", "mean"}
