from dataclasses import replace

import pytest
from tiny_problem import Decay

from kdpinn.problems import load_problem
from kdpinn.stages import stages
from kdpinn_bench.ablation import NEIGHBORS, measured, plain_recipe, run, table, variants

SEEDS = (0, 1)


@pytest.mark.parametrize("name", ["burgers", "allen_cahn", "laplace"])
def test_every_row_has_the_plain_budget(name):
    problem, iterations = load_problem(name), 403
    plain = plain_recipe(problem, iterations)
    rows = variants(problem, iterations)
    assert rows[0].name == "plain"
    assert ("curriculum" in [row.name for row in rows]) == (name in NEIGHBORS)
    assert ("causal weights" in [row.name for row in rows]) == ("t" in problem.coordinates)
    for row in rows:
        training = replace(plain.training, **row.training)
        plan = [stage for stage in stages(training) if stage.name != "adam"]
        assert sum(stage.iterations for stage in plan) == iterations, row.name
        assert (training == plain.training) == (row.name == "plain" or bool(row.recipe))


def test_rows_stand_beside_each_other_and_known_ones_are_kept():
    known = {"uniform points": {"rel_l2": [1.0], "median": 1.0, "seconds": [2.0], "parameters": 3}}
    rows = run(Decay, 24, SEEDS, known)
    assert rows["uniform points"] is known["uniform points"]
    students = [name for name in rows if name.startswith("student")]
    assert students == ["student: distilled", "student: pruned", "student: scratch"]
    limit = rows["student: distilled"]["parameters"]
    assert rows["student: pruned"]["parameters"] <= limit
    assert all(len(row["rel_l2"]) == 2 for name, row in rows.items() if name not in known)
    made = table({"decay": {"rows": rows}})
    assert made.row_count == len(rows)
    assert next(iter(made.columns[5].cells)) == "1.00"


def test_errors_are_those_of_what_was_made():
    from kdpinn.teacher import error_against_reference, new_field

    def make(seed: int):
        return new_field(Decay, (3,), "tanh", seed)

    row = measured(make, Decay, SEEDS)
    errors = [error_against_reference(Decay)(make(seed)) for seed in SEEDS]
    assert row["rel_l2"] == pytest.approx(errors, rel=1e-3)
    assert row["median"] == pytest.approx(sum(errors) / 2, rel=1e-3)
    assert row["parameters"] == 13
