"""Commands that compare: `kdpinn problems`, `search`, `bench` and `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kdpinn.commands.errors import INTERRUPTED, reported
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
    wide_stdout,
)


def problems(as_json: AsJson = False) -> None:
    """List the problems that are shipped."""
    with reported():
        from kdpinn.facts import listing

        rows = listing()
        if as_json:
            print_json(rows)
            return
        table = Table("name", "equation", "domain", "presets", box=None, pad_edge=False)
        for row in rows:
            table.add_row(
                row["name"], "\n".join(row["equations"]), row["domain"], ", ".join(row["presets"])
            )
        stdout().print(table)
        stdout().print("\nYour own: kdpinn run my_problem.py:NAME (see docs/problems.md)")


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
        found = go(wanted, out, lambda: place(workers, dask), stderr())
    if as_json:
        print_json(found.to_dict())
    else:
        stdout().print(table(found.front, f"Students that no other of {len(found.rows)} beats"))
        stdout().print(f"{out / 'search.json'}", soft_wrap=True, highlight=False)


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
        results = command.run(order, wide_stdout(), json_file, picture)
    raise typer.Exit(0 if results.complete else INTERRUPTED)


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
        stdout().print(f"{page}", soft_wrap=True, highlight=False)
