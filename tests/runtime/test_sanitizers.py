"""Damaged files against the C core built with AddressSanitizer and UndefinedBehaviorSanitizer."""

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from core_build import compile_core, link
from kdp_samples import tiny
from loader_cases import CASES as EDGES
from map_samples import mapped_tiny
from test_format_refusals import CASES as REFUSED
from tied_samples import tied_tiny

from kdpinn_runtime import pack

HERE = Path(__file__).parent
FLAGS = ["-g1", "-DKD_NO_UNROLL", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# All but the kernels: they would take a minute to optimize, and run little here.
OPTIMIZED = ["-O2"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    compiler = shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the core's tests need gcc or clang"
    objects = compile_core(folder, compiler, FLAGS, OPTIMIZED)
    flags = [*FLAGS, *OPTIMIZED]
    return {
        name: link(folder / name, compiler, flags, [HERE / f"{name}.c"], objects)
        for name in ("harness", "load_each")
    }


@pytest.fixture(scope="module")
def harness(programs):
    return programs["harness"]


@pytest.fixture(
    scope="module",
    params=[tiny, partial(tiny, activation="gelu"), tied_tiny, mapped_tiny],
    ids=["plain", "gelu", "tied", "functions"],
)
def model(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.kdp"
    path.write_bytes(pack(request.param()))
    return path


def run(harness, mode, model):
    # A small quarantine: freed memory is not what these files could reach.
    environment = os.environ | {"ASAN_OPTIONS": "quarantine_size_mb=4:malloc_context_size=4"}
    done = subprocess.run(
        [harness, mode, model], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    refused, accepted = map(int, done.stdout.split())
    return refused, accepted


def test_malformed_files_are_refused_from_their_own_bytes(programs, tmp_path):
    wanted = {name: code for name, (code, _, _) in REFUSED.items() if code != "CARD"}
    wanted |= {f"edge: {name}": code or "OK" for name, (code, _) in EDGES.items()}
    content = {name: data for name, (_, data, _) in REFUSED.items()}
    content |= {f"edge: {name}": data for name, (_, data) in EDGES.items()}
    for number, name in enumerate(wanted):
        (tmp_path / str(number)).write_bytes(content[name])
    paths = [tmp_path / str(number) for number in range(len(wanted))]
    done = subprocess.run(
        [programs["load_each"], *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert dict(zip(wanted, done.stdout.split(), strict=True)) == wanted


def test_every_flipped_bit_is_refused(harness, model):
    assert run(harness, "flips", model) == (8 * model.stat().st_size, 0)


def test_every_truncation_is_refused(harness, model):
    assert run(harness, "cuts", model) == (model.stat().st_size, 0)


def test_forged_files_never_reach_foreign_memory(harness, model):
    refused, accepted = run(harness, "forged", model)
    assert refused + accepted == 8 * model.stat().st_size
    assert accepted > 0  # a changed weight is a valid file: so the evaluator was exercised
