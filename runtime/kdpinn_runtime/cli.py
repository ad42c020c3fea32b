"""The command `kdpinn-runtime`: info, eval, verify and bench on the device itself.

Exit codes: 0 pass, 1 a check failed, 2 wrong use (of the command, or a file that cannot be used).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from ._conditions import COMPANIES, Company, company, flusher
from ._evaluator import Evaluator, finite_or_none
from ._info import as_text, describe
from ._latency import BUDGET_S, model_times, one_core, summary
from ._reader import in_file, read_bytes, unpack
from ._refusals import FormatError
from ._table import Columns, evaluate_csv, parse_point, text_stream
from ._text import aligned
from ._writer import content_digest
from .atomic import replacing
from .verify import verify

if TYPE_CHECKING:
    from .signatures import Trust

PASS, FAILED, WRONG_USE = 0, 1, 2
BENCH_POINTS = (1, 100, 10_000, 65_536)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of the whole usage."""
        self.exit(WRONG_USE, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Looked up when it is asked for only."""
        from importlib.metadata import version

        _say(f"kdpinn-runtime {version('kdpinn-runtime')}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (default: those of the process); returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output went away: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PASS
    except (ValueError, OSError) as error:
        line = str(error).replace("\n  - ", " ; ").replace("\n", " ")
        sys.stderr.write(f"kdpinn-runtime: {line}\n")
        return WRONG_USE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kdpinn-runtime",
        description="Evaluate and check a model file. "
        "Exit codes: 0 pass, 1 a check failed, 2 wrong use.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("model", metavar="MODEL", help="a model file, model.kdp")
        command.add_argument("--json", action="store_true", help="print JSON")
        return command

    add("info", _info, "What the model computes, where, how accurately, and from what.")
    command = add("eval", _eval, "Evaluate at one point (x=0.3 t=0.5), or over a CSV file.")
    command.add_argument("point", nargs="*", metavar="NAME=NUMBER", help="one for every input")
    command.add_argument("--csv", metavar="FILE", help="points; the header names the inputs")
    command.add_argument("--out", metavar="FILE", help="where the CSV goes (default: printed)")
    command.add_argument(
        "--derivatives", action="store_true", help="also all first and second derivatives"
    )
    command.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        default="float64",
        help="arithmetic (default: float64)",
    )
    command.add_argument(
        "--outside",
        choices=("count", "refuse"),
        default="count",
        help="points outside the domain: evaluate and count them (default), or refuse",
    )
    command = add("verify", _verify, "Check answers, accuracy, physics and latency here.")
    command.add_argument("--no-latency", action="store_true", help="leave out the latency targets")
    _add_seconds(command)
    _add_trust(command)
    command = add("bench", _bench, "Latency of single calls on one thread.")
    command.add_argument(
        "--points",
        type=_points,
        nargs="+",
        default=list(BENCH_POINTS),
        metavar="N",
        help=f"points in a call (default: {' '.join(map(str, BENCH_POINTS))})",
    )
    command.add_argument("--cold", action="store_true", help="empty the caches before every call")
    command.add_argument(
        "--company",
        choices=COMPANIES,
        default=COMPANIES[0],
        help="a busy process beside us, on another core or on ours (default: %(default)s)",
    )
    _add_seconds(command)
    return parser


def _add_trust(command: argparse.ArgumentParser) -> None:
    command.add_argument("--require-signature", metavar="KEY", help="public key of the releaser")
    command.add_argument("--name", default="", help="what it has to be released as")
    command.add_argument(
        "--at-least", type=int, default=0, metavar="VERSION", help="oldest version to accept"
    )
    command.add_argument("--memory", metavar="FILE", help="remembers the newest versions accepted")


def _add_seconds(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--seconds",
        type=_positive,
        default=BUDGET_S,
        help=f"longest time for each number of points (default: {BUDGET_S:g})",
    )


def _positive(text: str) -> float:
    with suppress(ValueError):
        value = float(text)
        if 0 < value < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"expected a finite number > 0, got {text!r}")


def _points(text: str) -> int:
    with suppress(ValueError):
        value = int(text)
        if 1 <= value <= 2**24:
            return value
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {2**24}, got {text!r}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say_json(value: Any) -> None:
    _say(json.dumps(value, indent=2, allow_nan=False))


def _load(path: str, outside: Literal["count", "refuse"] = "count") -> Evaluator:
    from .model import load  # the compiled core; `info` works without it

    model: Evaluator = load(path, outside=outside)
    return model


def _info(options: argparse.Namespace) -> int:
    data = read_bytes(options.model)
    try:
        file = unpack(data)
    except FormatError as error:
        raise in_file(error, options.model) from error
    described = describe(file, content_digest(data).hex(), len(data))
    if options.json:
        _say_json(described)
    else:
        _say(as_text(described))
    return PASS


def _eval(options: argparse.Namespace) -> int:
    if bool(options.csv) == bool(options.point):
        raise ValueError("eval takes either a point (x=0.3 t=0.5) or --csv FILE")
    if options.csv and options.json:
        raise ValueError("eval --csv writes CSV; leave out --json")
    if options.out and not options.csv:
        raise ValueError("eval --out goes with --csv; a single point is printed")
    model = _load(options.model, options.outside)
    if options.csv:
        _eval_csv(model, options)
    else:
        _eval_point(model, options)
    if model.outside_count:
        sys.stderr.write(
            f"kdpinn-runtime: {model.outside_count} points lie outside the domain of the model\n"
        )
    return PASS


def _eval_point(model: Evaluator, options: argparse.Namespace) -> None:
    columns = Columns(model, options.derivatives)
    point = parse_point(options.point, [v.name for v in model.file.inputs])
    values = columns.evaluate(np.array([point], dtype=options.dtype))[0].tolist()
    named = dict(zip(columns.names, values, strict=True))
    if options.json:
        _say_json(finite_or_none(named))
        return
    units = {v.name: v.unit for v in model.file.outputs}
    for name, value in named.items():
        _say(f"{name} = {value!r} {units.get(name, '')}".rstrip())


def _eval_csv(model: Evaluator, options: argparse.Namespace) -> None:
    how = {"dtype": options.dtype, "derivatives": options.derivatives}
    if not os.path.exists(options.csv):
        raise FileNotFoundError(f"{options.csv}: no such file")
    with open(options.csv, encoding="utf-8", newline="") as source:
        try:
            if options.out is None:
                evaluate_csv(model, source, sys.stdout, **how)
                return
            with replacing(options.out) as binary:
                text = text_stream(binary)
                evaluate_csv(model, source, text, **how)
                text.detach()
        except ValueError as error:
            raise ValueError(f"{options.csv}: {error}") from error


def _verify(options: argparse.Namespace) -> int:
    trust = _trust(options)
    verdict = verify(
        options.model if trust else _load(options.model),
        latency=not options.no_latency,
        latency_seconds=options.seconds,
        trust=trust,
    )
    if options.json:
        _say_json(verdict.to_dict())
    else:
        _say(str(verdict))
    return PASS if verdict.passed else FAILED


def _trust(options: argparse.Namespace) -> Trust | None:
    """What the options of `_add_trust` ask for."""
    if options.require_signature is None:
        if options.name or options.at_least or options.memory:
            raise ValueError("--name, --at-least and --memory need --require-signature KEY")
        return None
    from .signatures import Trust

    return Trust(
        key=options.require_signature,
        name=options.name,
        at_least=options.at_least,
        memory=options.memory,
    )


def _bench(options: argparse.Namespace) -> int:
    rows = _bench_rows(_load(options.model), options)
    if options.json:
        _say_json(rows)
        return PASS
    head = ("points", "calls", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "ns/point", "misses")
    table: list[tuple[str, ...]] = [head]
    for row in rows["timings"]:
        quantiles = (row[name] for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms"))
        per_point = row["p50_ms"] * 1e6 / row["points"]
        budget = "-" if row["misses"] is None else f"{row['misses']} of {row['limit_ms']:g} ms"
        figures = (f"{x:.4g}" for x in (*quantiles, per_point))
        table.append((str(row["points"]), str(row["count"]), *figures, budget))
    _say(aligned(table))
    return PASS


def _bench_rows(model: Evaluator, options: argparse.Namespace) -> dict[str, Any]:
    """For JSON; `misses` counts the calls that took longer than the model's target permits."""
    limits = {target.points: target.limit_ms for target in model.file.targets}
    before = flusher() if options.cold else None
    kind: Company = options.company
    timings = []
    with one_core() as core, company(kind, core) as possible:
        if not possible:
            raise ValueError(f"bench --company '{kind}' needs a system that pins, and two cores")
        for points in options.points:
            times = model_times(model, points, budget_s=options.seconds, before=before)
            limit = limits.get(points)
            missed = None if limit is None else int(np.count_nonzero(times > limit * 1e6))
            timings.append(
                {**summary(points, times).to_dict(), "limit_ms": limit, "misses": missed}
            )
    return {
        "digest": model.digest,
        "dtype": str(model.file.dtype),
        "caches": "cold" if options.cold else "warm",
        "company": kind,
        "timings": timings,
    }


if __name__ == "__main__":
    sys.exit(main())
