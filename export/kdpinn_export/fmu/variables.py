"""The variables of an FMU, for either version of the standard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdpinn_runtime.format import ModelFile, Variable

from .options import MAX_POINTS, FmuOptions

# Value references, as c/block.h numbers them.
TIME, POINTS, SHIFT, MARGIN, OUTSIDE, SELFTEST = range(6)
INPUT, OUTPUT, CONSTANT = 16, 32, 48


@dataclass(frozen=True, kw_only=True)
class FmuVariable:
    """One variable of the model description; None: not said.

    type: "real", "single" (Float32 in FMI 3), "flag" or "count"; array: one number for each point;
    initial: None where the standard knows it from the rest.
    """

    name: str
    reference: int
    type: Literal["real", "single", "flag", "count"] = "real"
    causality: str = "local"
    variability: str = "continuous"
    initial: str | None = None
    description: str = ""
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    nominal: float | None = None
    start: float | int | None = None
    array: bool = False

    @property
    def computed(self) -> bool:
        """Whether it is an output."""
        return self.causality == "output"


def variables_of(model: ModelFile, options: FmuOptions) -> tuple[FmuVariable, ...]:
    """All variables, in the order of the model description.

    Names of our own give way to those of the model: `time` becomes `time_` beside an input `time`.
    """
    taken = {v.name for v in (*model.inputs, *model.outputs)} | {p.name for p in model.parameters}
    number: Literal["real", "single"] = (
        "single" if options.version == 3 and options.precision == "f32" else "real"
    )
    array = options.points > 0
    bound = options.time_input(model)
    own = _own(model, options, taken)
    found = [own[TIME]]
    if array:
        found.append(own[POINTS])
    for index, variable in enumerate(model.inputs):
        if index != bound:
            fixed = variable.name in options.parameters
            found.append(
                FmuVariable(
                    name=variable.name,
                    reference=INPUT + index,
                    type=number,
                    causality="parameter" if fixed else "input",
                    variability="tunable" if fixed else "continuous",
                    initial="exact" if fixed else None,
                    description="the model was made for the range from min to max",
                    unit=variable.unit,
                    lower=variable.lower,
                    upper=variable.upper,
                    nominal=_nominal(variable),
                    start=middle(variable),
                    array=array,
                )
            )
    found += [
        FmuVariable(
            name=variable.name,
            reference=OUTPUT + index,
            type=number,
            causality="output",
            unit=variable.unit,
            nominal=_nominal(variable),
            array=array,
        )
        for index, variable in enumerate(model.outputs)
    ]
    found += [own[OUTSIDE], own[MARGIN]]
    if bound >= 0:
        found.append(own[SHIFT])
    found += [
        FmuVariable(
            name=parameter.name,
            reference=CONSTANT + index,
            variability="constant",
            initial="exact",
            description="of the equations that the model was made for",
            unit=parameter.unit,
            start=parameter.value,
        )
        for index, parameter in enumerate(model.parameters)
    ]
    if model.baseline is not None:
        found.append(own[SELFTEST])
    return tuple(found)


def middle(variable: Variable) -> float:
    """Where an input starts: in the middle of its domain, as c/block.c computes it."""
    return 0.5 * (variable.lower + variable.upper)


def _nominal(variable: Variable) -> float | None:
    return max(abs(variable.lower), abs(variable.upper)) or None


def _own(model: ModelFile, options: FmuOptions, taken: set[str]) -> dict[int, FmuVariable]:
    """The variables that are not the model's, by value reference."""

    def named(name: str) -> str:
        while name in taken:
            name += "_"
        return name

    clock = model.inputs[options.time_input(model)] if options.time else None
    unit = clock.unit if clock else "s"
    return {
        TIME: FmuVariable(name=named("time"), reference=TIME, causality="independent", unit=unit),
        POINTS: FmuVariable(
            name=named("points"),
            reference=POINTS,
            type="count",
            causality="structuralParameter",
            variability="fixed",
            initial="exact",
            description="number of points that are evaluated at once",
            lower=1,
            upper=MAX_POINTS,
            start=options.points,
        ),
        SHIFT: FmuVariable(
            name=named(f"{options.time}_shift"),
            reference=SHIFT,
            causality="parameter",
            variability="fixed",
            initial="exact",
            description=f"the model's {options.time} is the time of the simulation plus this",
            unit=unit,
            start=0.0,
        ),
        MARGIN: FmuVariable(
            name=named("domain_margin"),
            reference=MARGIN,
            description="distance to the nearest bound of the domain as a share of the domain's "
            "width there; negative outside",
        ),
        OUTSIDE: FmuVariable(
            name=named("out_of_domain"),
            reference=OUTSIDE,
            type="flag",
            causality="output",
            variability="discrete",
            description="true where an input lies outside the domain that the model was made for",
            array=options.points > 0,
        ),
        SELFTEST: FmuVariable(
            name=named("selftest_passed"),
            reference=SELFTEST,
            type="flag",
            variability="fixed",
            initial="calculated",
            description="whether this machine reproduces the model's known answers; computed when "
            "it is read",
        ),
    }


def depends_on(variable: FmuVariable, among: tuple[FmuVariable, ...]) -> list[FmuVariable]:
    """What an output is a function of while a simulation runs: inputs, and the clock."""
    bound = any(v.reference == SHIFT for v in among)
    return [v for v in among if v.causality == "input" or (bound and v.causality == "independent")]


def depends_on_at_first(among: tuple[FmuVariable, ...]) -> list[FmuVariable]:
    """What outputs are a function of during initialization: parameters as well."""
    real = ("real", "single")
    known = {"input", "parameter"} | (
        {"independent"} if any(v.reference == SHIFT for v in among) else set()
    )
    return [v for v in among if v.causality in known and v.type in real]
