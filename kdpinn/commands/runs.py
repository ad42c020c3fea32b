"""Commands that train: `kdpinn run`, `train` and `distill`."""

from __future__ import annotations

import dataclasses
import shlex
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from kdpinn.commands.errors import reported
from kdpinn.commands.options import (
    AsJson,
    Out,
    Overwrite,
    Preset,
    ProblemName,
    Resume,
    Seed,
    print_json,
    stderr,
    stdout,
)


def run(
    problem: ProblemName,
    out: Out,
    preset: Preset = "quick",
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Go the whole way: teacher, students, files, latency, verdict, report.

    PROBLEM may be `all`: every shipped problem in turn, and a page that compares them.
    """
    if problem == "all":
        _all(out, preset, seed, resume, overwrite, as_json)
        return
    result = _ordered(problem, out, preset, seed, resume, overwrite)
    if as_json:
        print_json(result.to_dict())
    else:
        _summary(result, out)
    raise typer.Exit(0 if result.passed else 1)


def train(
    problem: ProblemName,
    out: Out,
    preset: Preset = "quick",
    seed: Seed = 0,
    structure: Annotated[
        Path | None,
        typer.Option(
            metavar="RELATION.json",
            help="Structure that `kdpinn discover` found, here or on another problem: the network "
            "has it exactly. Refused with the reason where it does not fit.",
        ),
    ] = None,
    partly: Annotated[
        bool, typer.Option("--partly", help="Drop generators of the structure that do not fit.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train the teacher only; leaves teacher.kdp. `kdpinn run ... --resume` goes on from it."""
    tied = {} if structure is None else {"structure": structure, "partly": partly}
    _ordered(problem, out, preset, seed, resume, overwrite, last="teacher", **tied)
    stdout().print(f"{out / 'teacher.kdp'}", soft_wrap=True, highlight=False)


def distill(
    out: Out,
    problem: Annotated[
        str,
        typer.Argument(
            metavar="[PROBLEM]", help="As for `run`; none: the students learn the teacher alone."
        ),
    ] = "",
    preset: Preset = "quick",
    seed: Seed = 0,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="model.onnx, module.py:factory, samples.csv or .npz, model.kdp, "
            "field.safetensors; several times for several teachers, each with @weight=2, "
            "@nu=0.01 (a parameter's value) or @x=-1:0 (a part of the domain). None: one is "
            "trained.",
        ),
    ] = None,
    domain: Annotated[str, typer.Option(help='The teacher\'s inputs: "x=-1:1,t=0:1".')] = "",
    fields: Annotated[str, typer.Option(help="Names of the teacher's outputs: u,v.")] = "",
    students: Annotated[
        str, typer.Option(help='Hidden widths of each student: "10,10,10;20,20,20".')
    ] = "",
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Load pickled torch modules, .pt: runs code.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Distil students from any teacher; leaves student.kdp, ONNX files and a report."""
    options = {"--domain": domain, "--fields": fields}
    with reported():
        if not problem and not teacher:
            raise ValueError("Name a PROBLEM, or a --teacher with its --domain.")
        if not teacher and any(options.values()):
            raise ValueError("--domain and --fields say what a --teacher maps: name one.")
        widths = _widths(students)
    request = None
    if teacher:
        from kdpinn.teachers.request import Request

        request = Request(tuple(teacher), domain, fields, trust_pickle)
    order = {"last": "student", "request": request, "students": widths}
    _ordered(problem, out, preset, seed, resume, overwrite, **order)
    for name in ("student.kdp", *(["report.html"] if teacher else [])):
        stdout().print(f"{out / name}", soft_wrap=True, highlight=False)


def _all(out: Path, preset: str, seed: int, resume: bool, overwrite: bool, as_json: bool) -> None:
    """Every shipped problem; exit code 1 if a run failed, or a check of one."""
    hint = f"kdpinn run all --preset {preset} --seed {seed} --out {out} --resume"
    with reported(resume=hint):
        from kdpinn.plan import Order
        from kdpinn.run_all import run_all

        order = Order(spec="all", preset=preset, seed=seed, resume=resume, overwrite=overwrite)
        runs = run_all(order, out, stderr())
        if as_json:
            print_json([dataclasses.asdict(run) | {"folder": str(run.folder)} for run in runs])
        else:
            stdout().print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(run.passed for run in runs) else 1)


def _ordered(
    problem: str,
    out: Path,
    preset: str,
    seed: int,
    resume: bool,
    overwrite: bool,
    **more: Any,
) -> Any:
    """Run what was ordered; an interrupted run says how to go on.

    Args:
        more: of `kdpinn.plan.Order`.
    """
    started = time.perf_counter()
    hint = _again(problem, out, preset, seed, **more)
    with reported(resume=hint):
        if resume and overwrite:
            raise ValueError(
                "--resume keeps the run in the folder, --overwrite deletes it: choose."
            )
        from kdpinn.pipeline import help_run
        from kdpinn.pipeline import run as go
        from kdpinn.plan import Order
        from kdpinn.team import in_environment

        if not in_environment().leads:
            help_run(problem)
            raise typer.Exit(0)
        order = Order(
            spec=problem,
            preset=preset,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
            **more,
        )
        return go(order, out, stderr(), started)


def _again(
    problem: str,
    out: Path,
    preset: str,
    seed: int,
    last: str = "",
    request: Any = None,
    students: tuple[tuple[int, ...], ...] = (),
    structure: Path | None = None,
    partly: bool = False,
) -> str:
    """The command that takes an interrupted run up again."""
    command = {"": "run", "teacher": "train", "student": "distill"}[last]
    words = ["kdpinn", command, *([problem] if problem else []), "--preset", preset]
    words += ["--seed", str(seed), *(request.words if request is not None else [])]
    if students:
        words += ["--students", ";".join(",".join(map(str, widths)) for widths in students)]
    if structure is not None:
        words += ["--structure", str(structure), *(["--partly"] if partly else [])]
    return shlex.join([*words, "--out", str(out), "--resume"])


def _widths(text: str) -> tuple[tuple[int, ...], ...]:
    """`10,10;20,20` as hidden widths."""
    try:
        return tuple(tuple(map(int, part.split(","))) for part in text.split(";") if part.strip())
    except ValueError:
        raise ValueError(
            f'--students takes hidden widths, "10,10,10;20,20,20" for two students, got "{text}".'
        ) from None


def _summary(result: Any, out: Path) -> None:
    """A table of the models and the verdict."""
    from kdpinn.metrics import ROLES

    console = stdout()
    table = Table("", "parameters", "rel L2", "RMSE", "max error", box=None, pad_edge=False)
    for role in (r for r in ROLES if r in result.models):
        m = result.models[role]
        errors = ("-" if v is None else f"{v:.3g}" for v in (m.rel_l2, m.rmse, m.max_abs))
        table.add_row(role, str(m.parameters), *errors)
    console.print(table)
    checks = result.verify.get("checks", [])
    failed = [c["name"] for c in checks if c["passed"] is False]
    word = f"FAILED: {', '.join(failed)}" if failed else f"passed, {len(checks)} checks"
    console.print(f"verify: {word}; {result.seconds:.1f} s", highlight=False, soft_wrap=True)
    console.print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)
