"""What a relation file may hold, for `relation_file`: shapes and types, all strict."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Sign = Literal[-1, 1]
Count = Annotated[int, Field(ge=0)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Coordinate(_Part):
    """A coordinate and its bounds."""

    name: Name
    lower: FiniteFloat
    upper: FiniteFloat
    unit: str = ""


class Hole(_Part):
    """A disk cut out of the domain."""

    center: dict[Name, FiniteFloat]
    radius: FiniteFloat


class Generator(_Part):
    """x -> matrix x + offset with u(g x) = characters u(x), and what was measured of it."""

    text: str
    matrix: list[list[FiniteFloat]]
    offset: list[FiniteFloat]
    characters: list[Sign]
    asymmetry: list[Size]
    ratio: Size
    ratios: list[Size]
    residuals: list[Size]
    in_weights: bool


class Permutation(_Part):
    """a(g x)[i] = sign[i] a(x)[source[i]] for the neurons of a layer."""

    source: list[Count]
    sign: list[Sign]


class StudentTie(_Part):
    """A student that has the generators exactly.

    `index` and `sign` are the relation R: parameter k is sign[k] times free parameter index[k],
    or zero where index[k] is -1; parameters in the order weight (row by row), bias, by layers.
    """

    sizes: list[Annotated[int, Field(ge=1)]]
    seed: Count
    ratio: Size
    permutations: list[list[Permutation]]
    index: list[Annotated[int, Field(ge=-1)]]
    sign: list[Sign]


class Seeds(_Part):
    """Of the teacher, None if it was not trained here, and of the students."""

    teacher: Count | None
    students: list[Count]


class RelationFile(_Part):
    """The whole file."""

    format: Literal["kdpinn relation"]
    version: Literal[1]
    problem: str
    statement: str
    inputs: list[Coordinate]
    holes: list[Hole]
    outputs: list[Name]
    generators: Annotated[list[Generator], Field(min_length=1)]
    student: StudentTie | None
    seeds: Seeds
