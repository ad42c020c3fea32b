"""The command `kdpinn discover`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdpinn.commands.errors import reported
from kdpinn.commands.options import (
    AsJson,
    Out,
    Overwrite,
    Preset,
    Resume,
    Seed,
    print_json,
    stderr,
    stdout,
)


def discover(
    out: Out,
    problem: Annotated[
        str, typer.Argument(metavar="[PROBLEM]", help="As for `run`; none: the teacher is all.")
    ] = "",
    teacher: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="As for `distill`. None: one is trained."),
    ] = None,
    domain: Annotated[str, typer.Option(help='The teacher\'s inputs: "x=-1:1,t=0:1".')] = "",
    fields: Annotated[str, typer.Option(help="Names of the teacher's outputs: u,v.")] = "",
    error: Annotated[
        float | None,
        typer.Option(min=0.0, help="Relative L2 error of the teacher, if known: 0 for exact."),
    ] = None,
    hidden: Annotated[str, typer.Option(help="Hidden widths of the rebuilt network: 8,8,8.")] = "",
    students: Annotated[int, typer.Option(min=1, help="Students to search for structure.")] = 4,
    method: Annotated[
        str, typer.Option(help="group, or hac: the published clustering of single weights.")
    ] = "group",
    preset: Preset = "quick",
    seed: Seed = 0,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Load pickled torch modules, .pt: runs code.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find the symmetries of a teacher and rebuild a network that has them exactly.

    Leaves discovery.json, report.html with its figures and, if a structure was found and passed
    the gate, relation.json and psi.kdp. Exit code 1: no structure that can be kept.
    """
    with reported(resume="the same command with --resume"):
        if not problem and not teacher:
            raise ValueError("Name a PROBLEM, or a --teacher with its --domain.")
        if not teacher and (domain or fields or error is not None):
            raise ValueError("--domain, --fields and --error speak of a --teacher: name one.")
        if resume and overwrite:
            raise ValueError(
                "--resume keeps the run in the folder, --overwrite deletes it: choose."
            )
        from kdpinn.discovering import Search, search
        from kdpinn.plan import Order
        from kdpinn.teachers.request import Request

        request = Request(tuple(teacher), domain, fields, trust_pickle) if teacher else None
        order = Order(
            spec=problem,
            preset=preset,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
            request=request,
        )
        wanted = Search(
            order=order,
            hidden=_widths(hidden),
            error=error,
            students=students,
            method=method,
        )
        facts = search(wanted, out, stderr())
    if as_json:
        print_json(facts)
    else:
        _summary(facts, out)
    raise typer.Exit(0 if facts["kept"] or method == "hac" else 1)


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(width) for width in text.split(",")) if text else ()
    except ValueError:
        raise ValueError(f'--hidden takes widths, "8,8,8", got "{text}".') from None


def _summary(facts: dict[str, Any], out: Path) -> None:
    console = stdout()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(facts["statement"])
    plain = facts["plain"]
    if plain:
        say(
            f"rebuilt: {facts['free_parameters']} free parameters of {facts['dense_parameters']}, "
            f"rel L2 {_number(facts['rel_l2'])}; plain: {plain['parameters']} parameters, "
            f"rel L2 {_number(plain['rel_l2'])}"
        )
        say(facts["gate"]["reason"])
    for name in [*facts["files"], "discovery.json"]:
        if not name.startswith("figures/"):
            say(f"{out / name}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2e}"
