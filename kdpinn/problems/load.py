"""Find a problem by the name of a shipped one, or in a user's file: `my_problem.py:Wave`."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from kdpinn.problems.problem import Problem

# Name -> module beside this file, and attribute there. They are imported when asked for: some read
# tables, and one problem is what a run needs.
SHIPPED = {
    "allen_cahn": ("allen_cahn", "ALLEN_CAHN"),
    "black_scholes": ("black_scholes", "BLACK_SCHOLES"),
    "burgers": ("burgers", "BURGERS"),
    "burgers_family": ("burgers_family", "BURGERS_FAMILY"),
    "burgers_inverse": ("burgers_inverse", "BURGERS_INVERSE"),
    "burgers_inverse_samples": ("burgers_inverse", "BURGERS_INVERSE_SAMPLES"),
    "cavity": ("cavity", "CAVITY"),
    "cavity_re400": ("cavity", "CAVITY_RE400"),
    "cylinder_flow": ("cylinder_flow", "CYLINDER_FLOW"),
    "cylinder_flow_wall": ("cylinder_flow", "CYLINDER_FLOW_WALL"),
    "heat": ("heat", "HEAT"),
    "laplace": ("laplace", "LAPLACE"),
    "navier_stokes": ("navier_stokes", "NAVIER_STOKES"),
    "poisson": ("poisson", "POISSON"),
}


def available() -> tuple[Problem, ...]:
    """The shipped problems, sorted by name."""
    return tuple(_shipped(name) for name in SHIPPED)


def load_problem(spec: str) -> Problem:
    """A shipped problem by name, or a user's: `my_problem.py:Wave`.

    Args:
        spec: a shipped problem's name, `FILE.py:NAME`, or `FILE.py` if it holds one problem. NAME
            is a `Problem`, or a function without arguments that returns one.
    Raises:
        ValueError: no such name or file, the file does not run, or holds no such problem; the
            message lists what exists.
    """
    path, _, name = spec.rpartition(":") if ".py:" in spec else (spec, "", "")
    if path.endswith(".py"):
        return _from_file(Path(path), name)
    if spec in SHIPPED:
        return _shipped(spec)
    close = difflib.get_close_matches(spec, SHIPPED, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise ValueError(
        f"No problem is called '{spec}'.{hint} There are {', '.join(SHIPPED)}, and any of your own "
        "as `FILE.py:NAME`."
    )


def _shipped(name: str) -> Problem:
    module, attribute = SHIPPED[name]
    problem = getattr(importlib.import_module(f"kdpinn.problems.{module}"), attribute)
    if not isinstance(problem, Problem):
        raise TypeError(f"`kdpinn.problems.{module}.{attribute}` is no `Problem`.")
    return problem


def load_object(path: Path, name: str, expected: str) -> object:
    """What a user's file calls `name`; the result of it, if it is a function without arguments.

    Args:
        expected: kinds of objects, for the message.
    Raises:
        ValueError: no such file or name, or it does not run.
    """
    found = vars(_run(path))
    if name not in found:
        own = [key for key, value in found.items() if not key.startswith("_") and callable(value)]
        raise ValueError(
            f"{path} has no '{name}'. It must be {expected}, or a function without arguments that "
            f"returns one. In it are: {', '.join(own) or 'no functions'}."
        )
    value = found[name]
    if (inspect.isroutine(value) or inspect.isclass(value)) and not _required(value):
        return _call(path, name, value)
    return value


def _required(function: Callable[..., object]) -> bool:
    """Whether a call needs arguments; yes where no signature can be read."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in free for p in parameters)


def _from_file(path: Path, name: str) -> Problem:
    found = vars(_run(path))
    problems = {k: v for k, v in found.items() if isinstance(v, Problem)}
    listed = f"The problems in it are: {', '.join(problems) or 'none'}."
    if not name:
        if len(problems) != 1:
            raise ValueError(f"{path}: say which problem, `{path}:NAME`. {listed}")
        return next(iter(problems.values()))
    if name not in found:
        raise ValueError(f"{path} has no '{name}'. {listed}")
    value = found[name]
    if not isinstance(value, Problem) and callable(value):
        value = _call(path, name, value)
    if not isinstance(value, Problem):
        raise ValueError(
            f"{path}: '{name}' must be a `kdpinn.Problem`, or a function without arguments that "
            f"returns one, got {type(value).__name__}. {listed}"
        )
    return value


def _run(path: Path) -> ModuleType:
    """Run the file as a module of its own; its directory is not put on the import path."""
    if not path.is_file():
        raise ValueError(f"No file {path} (looked for {path.resolve()}).")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(f"_kdpinn_user_{digest}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise ValueError(f"{path} does not run: {_located(path, error)}") from error
    return module


def _call(path: Path, name: str, function: Callable[[], object]) -> object:
    try:
        return function()
    except Exception as error:
        raise ValueError(f"{path}: `{name}()` fails: {_located(path, error)}") from error


def _located(path: Path, error: Exception) -> str:
    """The error with the last line of the user's file that it passed through."""
    line, traceback = 0, error.__traceback__
    while traceback is not None:
        if Path(traceback.tb_frame.f_code.co_filename) == path.absolute():  # importlib's name of it
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    where = f" (line {line})" if line else ""
    return f"{type(error).__name__}: {error}{where}"
