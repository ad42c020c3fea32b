"""Damaged files against the C core built with AddressSanitizer and UndefinedBehaviorSanitizer."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from core_build import compile_core, link
from kdp_samples import tiny

from kdpinn_runtime import pack

HERE = Path(__file__).parent
FLAGS = ["-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# All but the kernels: they would take a minute to optimize, and run little here.
OPTIMIZED = ["-O2"]


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harness")
    compiler = shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the core's tests need gcc or clang"
    objects = compile_core(folder, compiler, FLAGS, OPTIMIZED)
    flags = [*FLAGS, *OPTIMIZED]
    return link(folder / "harness", compiler, flags, [HERE / "harness.c"], objects)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.kdp"
    path.write_bytes(pack(tiny()))
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


def test_every_flipped_bit_is_refused(harness, model):
    assert run(harness, "flips", model) == (8 * model.stat().st_size, 0)


def test_every_truncation_is_refused(harness, model):
    assert run(harness, "cuts", model) == (model.stat().st_size, 0)


def test_forged_files_never_reach_foreign_memory(harness, model):
    refused, accepted = run(harness, "forged", model)
    assert refused + accepted == 8 * model.stat().st_size
    assert accepted > 0  # a changed weight is a valid file: so the evaluator was exercised
