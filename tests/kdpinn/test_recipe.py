from dataclasses import replace

import pytest
from tiny_problem import Decay

from kdpinn.problems import load_problem
from kdpinn.recipe import Distillation, Recipe, Training, recipe_from_mapping
from kdpinn.stages import stages
from kdpinn.teacher import new_field, train_teacher


def test_recipe_from_a_mapping():
    recipe = recipe_from_mapping(
        {
            "teacher": [8, 8],
            "students": [[4], [5, 5]],
            "training": {"iterations": 10, "seconds": 5.0},
            "distillation": {"sigma": 0.5},
            "seed": 3,
        }
    )
    assert recipe == Recipe(
        teacher=(8, 8),
        students=((4,), (5, 5)),
        training=Training(iterations=10, seconds=5.0),
        distillation=Distillation(sigma=0.5),
        seed=3,
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"teachers": [8]}, r"no key 'teachers'.*'teacher'"),
        ({"training": {"iteration": 3}}, r"`Training` has no key 'iteration'.*'iterations'"),
        ({"training": 3}, "filled from a mapping, got 3"),
        ({"teacher": [8, "9"]}, r"integers >= 1, got \(8, '9'\)"),
        ({"teacher": 8}, "as a list, got 8"),
        ({"students": []}, "students.*empty"),
        ({"training": {"points": 0}}, "`Training.points` is an integer >= 1, got 0"),
        ({"training": {"seconds": 0.0}}, "`Training.seconds` is > 0"),
        ({"distillation": {"first_weight": -1.0}}, "`Distillation.first_weight` is >= 0"),
        ({"distillation": {"iterations": 1.5}}, "`Distillation.iterations` is an integer"),
    ],
)
def test_mistakes_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        recipe_from_mapping(values)


def test_relu_is_refused_where_second_derivatives_are_wanted():
    heat = load_problem("heat")
    recipe = replace(Recipe(), activation="relu")
    with pytest.raises(ValueError, match=r"'heat' has second derivatives.*relu.*tanh or gelu"):
        train_teacher(heat, recipe)
    assert new_field(heat, (3,), "gelu", 0).network.activation == "gelu"
    assert new_field(Decay, (3,), "relu", 0).network.activation == "relu"  # u_t = -r u


def test_plan_follows_the_recipe():
    plan = stages(
        Training(adam=100, iterations=300, points=1000, last_iterations=100, last_points=2000)
    )
    assert [stage.name for stage in plan] == ["adam", "broyden", "fixed points"]
    assert [stage.iterations for stage in plan] == [100, 300, 100]
    assert plan[2].resample_every == 0
    assert plan[1].optimizer == plan[2].optimizer


def test_cap_on_time_leaves_the_last_stretch_its_share():
    plan = stages(
        Training(iterations=300, points=1000, last_iterations=100, last_points=1000, seconds=40)
    )
    assert [stage.until for stage in plan] == [30, 40]
