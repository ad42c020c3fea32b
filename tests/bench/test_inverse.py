"""The cases of the inverse benchmark, its table, and that finished cases are kept."""

from dataclasses import replace

import pytest
from rich.console import Console

from kdpinn.problems.burgers_inverse import inverse_problem
from kdpinn_bench import baselines, inverse


def row(case, off):
    return {
        "truth": case.truth, "sample_set": case.sample_set, "noise": case.noise,
        "conditions": case.conditions, "kind": case.kind, "off_pct": off,
        "exact_fit_off_pct": 7.5 if case.noise else 0.0,
    }  # fmt: skip


def test_every_case_is_there_once():
    cases = list(inverse.cases())
    assert len(cases) == len(set(cases)) == 3 + 3 + 15
    assert [c.kind for c in cases[:6]] == ["clean"] * 3 + ["noise"] * 3
    assert {c.truth for c in cases if c.kind == "samples"} == {0.01, 0.04, 0.08}


def test_the_table_judges_the_worst_set():
    cases = list(inverse.cases())
    rows = [row(cases[0], 0.05), row(cases[3], 3.0), row(cases[6], 40.0), row(cases[7], 60.0)]
    console = Console(width=120, record=True)
    console.print(inverse.table(rows))
    text = console.export_text().splitlines()
    assert text[1].split()[-2:] == ["0.1", "reached"]
    assert text[2].split()[-2:] == ["2", "missed"]
    assert text[2].split()[-3] == "7.5"
    assert text[3].split()[-5:] == ["2", "50", "60", "0", "-"]


def test_finished_cases_are_not_repeated(tmp_path, monkeypatch, capsys):
    recipe = inverse_problem().recipes["quick"]
    solved = []

    def solve(case, recipe, console):
        solved.append(case)
        return row(case, 0.01)

    monkeypatch.setattr(inverse, "solve", solve)
    monkeypatch.setattr("sys.argv", ["x", "--preset", "quick", "--baselines", str(tmp_path)])
    some = [row(case, 0.01) for case in list(inverse.cases())[:19]]
    baselines.write("inverse", {"quick": {"recipe": repr(recipe), "rows": some}}, tmp_path)
    assert inverse.main() == 0
    assert len(solved) == 2
    assert len(baselines.read("inverse", tmp_path)["quick"]["rows"]) == 21
    assert "reached" in capsys.readouterr().out


def test_the_exact_solution_finds_the_truth_in_clean_samples():
    assert inverse.exact_fit(inverse.Case(0.04)) == pytest.approx(0.04, rel=1e-6)
    # 1 % noise: not the truth any more, by the order of the noise times its leverage.
    noisy = inverse.exact_fit(inverse.Case(0.04, noise=0.01))
    assert 1e-4 < abs(noisy / 0.04 - 1) < 0.1


@pytest.mark.parametrize("conditions", [True, False])
def test_a_short_search_reports_what_it_found(conditions):
    recipe = inverse_problem().recipes["quick"]
    training = replace(recipe.training, iterations=20, last_iterations=0, points=200)
    short = replace(recipe, teacher=(4,), training=training)
    found = inverse.solve(inverse.Case(0.04, conditions=conditions), short)
    assert found["off_pct"] == pytest.approx(100 * abs(found["found"] / 0.04 - 1))
    assert found["iterations"] == 20
