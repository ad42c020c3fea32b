"""What the command line says about teachers, before any of them is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from kdpinn.teachers.source import Source


@dataclass(frozen=True)
class Request:
    """Teachers and what is said about them.

    Attributes:
        teachers: as `Source.parse` reads them.
        domain: "x=-1:1,t=0:1", or "" for the problem's or the teacher's own.
        fields: "u,v", or "" likewise.
        trust_pickle: whether pickled modules may be loaded.
    """

    teachers: tuple[str, ...]
    domain: str = ""
    fields: str = ""
    trust_pickle: bool = False

    @property
    def sources(self) -> tuple[Source, ...]:
        """The teachers, parsed."""
        return tuple(Source.parse(text) for text in self.teachers)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the fields as they were given, () if none were."""
        return names_of(self.fields)

    @property
    def words(self) -> list[str]:
        """The same as options of the command line."""
        given = [("--domain", self.domain), ("--fields", self.fields)]
        options = [("--teacher", text) for text in self.teachers] + [o for o in given if o[1]]
        return [word for option in options for word in option] + (
            ["--trust-pickle"] if self.trust_pickle else []
        )


def names_of(text: str) -> tuple[str, ...]:
    """`u,v` as names."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
