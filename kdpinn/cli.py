"""The command `kdpinn`. Results go to stdout, progress and messages to stderr.

Exit codes: 0 pass, 1 a check failed, 2 wrong use or a file that cannot be used, 130 interrupted.
Heavy modules are imported inside the commands, so that `kdpinn --help` answers at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from kdpinn.cli_errors import INTERRUPTED, reported

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train a physics-informed network, distil it, and ship it as one verified file.",
    epilog="Exit codes: 0 pass, 1 a check failed, 2 wrong use, 130 interrupted.",
)

ProblemName = Annotated[
    str, typer.Argument(metavar="PROBLEM", help="A name of `kdpinn problems`, or FILE.py:NAME.")
]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL.kdp", help="A model file.")]
Out = Annotated[Path, typer.Option("--out", help="Output folder; made if it is missing.")]
Preset = Annotated[str, typer.Option(help="Sizes and budgets: quick or best.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of initialization and points.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in the folder, if any.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Delete the run in the folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Seconds = Annotated[float, typer.Option(min=0.01, help="Longest time for each measurement, in s.")]


@app.callback()
def prepare() -> None:
    """What has to be settled before torch is loaded."""
    # Idle OpenMP threads spin by default, on the core that the native kernels' threads want: with
    # two cores a training iteration took 1.3 to 1.8 times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@app.command()
def problems(as_json: AsJson = False) -> None:
    """List the problems that are shipped."""
    with reported():
        from kdpinn.facts import listing

        rows = listing()
        if as_json:
            _print_json(rows)
            return
        table = Table("name", "equation", "domain", "presets", box=None, pad_edge=False)
        for row in rows:
            table.add_row(
                row["name"], "\n".join(row["equations"]), row["domain"], ", ".join(row["presets"])
            )
        _stdout().print(table)
        _stdout().print("\nYour own: kdpinn run my_problem.py:NAME (see docs/problems.md)")


@app.command()
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
        _print_json(result.to_dict())
    else:
        _summary(result, out)
    raise typer.Exit(0 if result.passed else 1)


@app.command()
def train(
    problem: ProblemName,
    out: Out,
    preset: Preset = "quick",
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train the teacher only; leaves teacher.kdp. `kdpinn run ... --resume` goes on from it."""
    _ordered(problem, out, preset, seed, resume, overwrite, last="teacher")
    _stdout().print(f"{out / 'teacher.kdp'}", soft_wrap=True, highlight=False)


@app.command()
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
        _stdout().print(f"{out / name}", soft_wrap=True, highlight=False)


@app.command()
def search(
    problem: ProblemName,
    out: Out,
    trials: Annotated[int, typer.Option(min=1, help="Students to distil, in all sessions.")] = 20,
    preset: Preset = "quick",
    seed: Seed = 0,
    teacher: Annotated[
        Path | None, typer.Option(help="A teacher.kdp of this problem; trained if not given.")
    ] = None,
    depths: Annotated[str, typer.Option(help="Hidden layers: 1,2,3 or 1-4.")] = "1-4",
    widths: Annotated[str, typer.Option(help="Neurons of each: 4-32:2 or 8,16.")] = "4-32:2",
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Of the matching; the recipe's if not given.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[str, typer.Option(help="Address of a Dask scheduler, to run there.")] = "",
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Search for the student's width and depth: error, latency and bytes against each other."""
    hint = f"kdpinn search {problem} --trials {trials} --preset {preset} --seed {seed} --out {out}"
    with reported(resume=f"{hint} --resume (and the options given)"):
        from kdpinn.plan import Order
        from kdpinn.search import SearchOrder, Space
        from kdpinn.search import search as go
        from kdpinn.search.front import table
        from kdpinn.search.space import numbers
        from kdpinn.search.workers import place

        order = Order(
            spec=problem,
            preset=preset,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
        )
        space = Space(depths=numbers(depths), widths=numbers(widths))
        wanted = SearchOrder(
            order=order, trials=trials, space=space, iterations=iterations, teacher=teacher
        )
        found = go(wanted, out, lambda: place(workers, dask), Console(stderr=True))
    if as_json:
        _print_json(found.to_dict())
    else:
        _stdout().print(table(found.front, f"Students that no other of {len(found.rows)} beats"))
        _stdout().print(f"{out / 'search.json'}", soft_wrap=True, highlight=False)


@app.command()
def export(
    model: ModelPath,
    out: Annotated[
        Path | None, typer.Option("--out", help="Target; MODEL.onnx beside the model if omitted.")
    ] = None,
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Add first and second derivatives as outputs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the model as ONNX and check it in onnxruntime."""
    with reported():
        from kdpinn.steps import onnx_file

        target = out or model.with_name(
            model.stem + ("_derivatives" if derivatives else "") + ".onnx"
        )
        check = onnx_file(model, target, derivatives=derivatives)
    if as_json:
        _print_json({"file": str(target), **check})
    else:
        _agreement(target, "the model", check)
    raise typer.Exit(0 if check["passed"] else 1)


@app.command("import")
def import_(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A plain network.")],
    domain: Annotated[str, typer.Option(help='Its inputs: "x=-1:1,t=0:1".')],
    fields: Annotated[str, typer.Option(help="Names of its outputs: u,v.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Target; MODEL.kdp beside the model if omitted.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a model file of an ONNX network as it is, and check it against onnxruntime."""
    with reported():
        from kdpinn.importing import import_onnx
        from kdpinn.teachers.boxes import parse_domain
        from kdpinn.teachers.request import names_of

        target = out or model.with_suffix(".kdp")
        check = import_onnx(model, target, parse_domain(domain), names_of(fields))
    if as_json:
        _print_json(check)
    else:
        _agreement(target, "the graph", check)
    raise typer.Exit(0 if check["passed"] else 1)


@app.command()
def verify(
    model: ModelPath,
    latency: Annotated[bool, typer.Option(help="Measure the latency targets.")] = True,
    seconds: Seconds = 3.0,
    as_json: AsJson = False,
) -> None:
    """Check a model file on this machine: answers, accuracy, physics, latency."""
    with reported():
        from kdpinn_runtime import verify as verified

        verdict = verified(model, latency=latency, latency_seconds=seconds)
    if as_json:
        _print_json(verdict.to_dict())
    else:
        _stdout().print(str(verdict), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if verdict.passed else 1)


@app.command()
def bench(
    models: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[MODEL.kdp ...]", help="Model files; none: networks A-D."),
    ] = None,
    nets: Annotated[str, typer.Option(help="Networks with random weights: A,B,C,D.")] = "",
    engines: Annotated[
        str,
        typer.Option(
            help="native,avx2,onnxruntime,openvino,torch, and slow to compile: "
            "compile,compile-frozen."
        ),
    ] = "",
    points: Annotated[str, typer.Option(help="Points in a call: 1,100,10000,65536.")] = "",
    sections: Annotated[
        str,
        typer.Option(help="values,derivatives,python,threads,conditions,instructions,solver."),
    ] = "",
    full: Annotated[
        bool, typer.Option("--full", help="Add torch.compile and instruction counts: slow.")
    ] = False,
    solver: Annotated[
        bool, typer.Option("--solver", help="Add a numerical solver of the model's problem.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Longest time for one network and number of points.")
    ] = 2.5,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for raw samples; .json or .json.gz.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="File for the picture; .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Time the runtime against other engines here, check the goals: 5 minutes without options."""
    with reported():
        from kdpinn_bench import command

        order = command.make_order(
            models or [],
            nets=nets,
            engines=engines,
            points=points,
            sections=sections,
            full=full,
            solver=solver,
            seconds=seconds,
        )
        results = command.run(order, _wide_stdout(), json_file, picture)
    raise typer.Exit(0 if results.complete else INTERRUPTED)


@app.command()
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR ...", help="Folders of a `kdpinn run`, or with such folders."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Page that compares several runs.")
    ] = None,
) -> None:
    """Write a run's report.html and metrics.json anew, or a page that compares several runs."""
    with reported():
        one = folders[0] if len(folders) == 1 and out is None else None
        if one is not None and (one / "run" / "plan.json").exists():
            from kdpinn.pipeline import render_again

            render_again(one)
            page = one / "report.html"
        else:
            from kdpinn.run_all import compare_runs

            page = out or (one or Path()) / "report.html"
            compare_runs(folders, page)
        _stdout().print(f"{page}", soft_wrap=True, highlight=False)


def _all(out: Path, preset: str, seed: int, resume: bool, overwrite: bool, as_json: bool) -> None:
    """Every shipped problem; exit code 1 if a run failed, or a check of one."""
    hint = f"kdpinn run all --preset {preset} --seed {seed} --out {out} --resume"
    with reported(resume=hint):
        from kdpinn.plan import Order
        from kdpinn.run_all import run_all

        order = Order(spec="all", preset=preset, seed=seed, resume=resume, overwrite=overwrite)
        runs = run_all(order, out, Console(stderr=True))
        if as_json:
            _print_json([dataclasses.asdict(run) | {"folder": str(run.folder)} for run in runs])
        else:
            _stdout().print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)
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
        return go(order, out, Console(stderr=True), started)


def _agreement(target: Path, other: str, check: dict[str, Any]) -> None:
    """One line on a file that was compared with where it comes from."""
    word = "agrees with" if check["passed"] else "DIFFERS from"
    _stdout().print(
        f"{target} {word} {other}: largest difference {check['measured']:.2g}, "
        f"permitted {check['limit']:.2g}",
        soft_wrap=True,
        highlight=False,
    )


def _again(
    problem: str,
    out: Path,
    preset: str,
    seed: int,
    last: str = "",
    request: Any = None,
    students: tuple[tuple[int, ...], ...] = (),
) -> str:
    """The command that takes an interrupted run up again."""
    command = {"": "run", "teacher": "train", "student": "distill"}[last]
    words = ["kdpinn", command, *([problem] if problem else []), "--preset", preset]
    words += ["--seed", str(seed), *(request.words if request is not None else [])]
    if students:
        words += ["--students", ";".join(",".join(map(str, widths)) for widths in students)]
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

    console = _stdout()
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


def _stdout() -> Console:
    return Console()


def _wide_stdout() -> Console:
    """Wide enough for the tables where the output is a file."""
    console = _stdout()
    return console if console.is_terminal else Console(width=160)


def _print_json(value: Any) -> None:
    from kdpinn.metrics import finite

    typer.echo(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False))
