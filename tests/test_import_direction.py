"""Imports run one way: kdpinn_bench -> kdpinn -> kdpinn_export -> kdpinn_runtime."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "kdpinn_bench": ROOT / "bench" / "kdpinn_bench",
    "kdpinn": ROOT / "kdpinn",
    "kdpinn_export": ROOT / "export" / "kdpinn_export",
    "kdpinn_runtime": ROOT / "runtime" / "kdpinn_runtime",
}
ORDER = list(FOLDERS)  # a package may import those after it
# The command and the pipeline may import all four.
TOP = {FOLDERS["kdpinn"] / "commands" / "studies.py", FOLDERS["kdpinn"] / "pipeline.py"}
WITH_TORCH = {"kdpinn", "kdpinn_bench"}
# Third-party packages that one file of the runtime imports when it is asked to.
OPTIONAL = {"signatures.py": {"cryptography"}}
# Export targets and engines of GPUs, which need torch for memory or for the format itself.
TORCH_TARGETS = {"tensorrt.py", "torch_tensorrt.py", "cuda.py"}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every absolute import, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.partition(".")[0]


def allowed(package: str, path: Path) -> set[str]:
    """Our packages that the file `path` of `package` may import."""
    if path in TOP:
        return set(ORDER)
    return set(ORDER[ORDER.index(package) :])


def may_use_torch(package: str, path: Path) -> bool:
    return package in WITH_TORCH or (package == "kdpinn_export" and path.name in TORCH_TARGETS)


def violations(package: str, path: Path, source: str) -> list[str]:
    """One line per forbidden import of the file."""
    found = []
    for line, name in imported(source):
        upward = name in FOLDERS and name not in allowed(package, path)
        torch = name in {"torch", "torch_tensorrt"} and not may_use_torch(package, path)
        heavy = package == "kdpinn_runtime" and not (
            name in sys.stdlib_module_names
            or name in {"numpy", "kdpinn_runtime"} | OPTIONAL.get(path.name, set())
        )
        if upward or torch or heavy:
            found.append(f"{path}:{line}: {package} must not import {name}")
    return found


@pytest.mark.parametrize("package", ORDER)
def test_imports_run_one_way(package):
    files = sorted(FOLDERS[package].rglob("*.py"))
    assert files, f"{package}: no sources at {FOLDERS[package]}"
    found = [line for f in files for line in violations(package, f, f.read_text("utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("kdpinn", "import kdpinn_bench.timing"),
        ("kdpinn_export", "def f():\n    from kdpinn.field import Field"),
        ("kdpinn_export", "import torch.nn"),
        ("kdpinn_runtime", "from kdpinn_export import kdp"),
        ("kdpinn_runtime", "import onnxruntime"),
        ("kdpinn_runtime", "import cryptography"),
    ],
)
def test_the_check_sees_a_forbidden_import(package, source):
    assert violations(package, FOLDERS[package] / "example.py", source)


@pytest.mark.parametrize(
    ("package", "absent"),
    [
        (
            "kdpinn_runtime",
            ["torch", "onnx", "onnxruntime", "scipy", "kdpinn", "kdpinn_export", "cryptography"],
        ),
        ("kdpinn_export", ["torch", "kdpinn"]),
    ],
)
def test_a_fresh_import_stays_light(package, absent):
    code = f"import sys, {package}; print(sorted(set({absent!r}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
