"""The C example, compiled against the installed header and library, as a user would."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kdp_samples import bare_model, sample, with_baseline

from kdpinn_runtime import load, pack

EXAMPLE = Path(__file__).parents[2] / "examples" / "c" / "evaluate.c"
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
LANGUAGES = {"c99": ["-std=c99", "-D_ISOC11_SOURCE"], "c17": ["-std=c17"]}


def flags(*wanted):
    command = [sys.executable, "-m", "kdpinn_runtime.paths", *wanted]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_example_prints_the_values_that_python_gets(compiler, language, tmp_path):
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    program = tmp_path / "evaluate"
    command = [compiler, *LANGUAGES[language], *strict, EXAMPLE, *flags("--cflags", "--libs"), "-o"]
    subprocess.run([*command, program], check=True)
    file = with_baseline(bare_model(sizes=(2, 8, 8, 2)), n=70)
    (tmp_path / "model.kdp").write_bytes(pack(file))
    done = subprocess.run(
        [program, tmp_path / "model.kdp"], check=True, capture_output=True, text=True
    )
    printed = dict(re.findall(r"^(\S+) = (\S+)", done.stdout, re.MULTILINE))
    jet = load(pack(file)).jet(np.array([[0.0, 0.5]], np.float32), ())
    for name, key in {"u": "u", "v": "v", "du/dx": "u_x", "dv/dt": "v_t"}.items():
        assert np.float32(printed[name]) == jet[key][0]
    assert "self-test passed, 70 points" in done.stdout
    assert done.stdout.count("passed: ") == 3  # answers, reference, teacher; there are no equations


@pytest.mark.parametrize("compiler", COMPILERS)
def test_example_refuses_a_damaged_file_by_name(compiler, tmp_path):
    program = tmp_path / "evaluate"
    subprocess.run([compiler, EXAMPLE, *flags("--cflags", "--libs"), "-o", program], check=True)
    damaged = bytearray(pack(bare_model()))
    damaged[200] ^= 1
    (tmp_path / "bad.kdp").write_bytes(damaged)
    done = subprocess.run(
        [program, tmp_path / "bad.kdp"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "DIGEST" in done.stderr
    done = subprocess.run([program, tmp_path / "none"], check=False, capture_output=True, text=True)
    assert done.returncode == 2


def test_example_fails_where_the_baseline_is_not_met(tmp_path):
    """Weights that are not those which gave the known answers, in a file with a right digest."""
    program = tmp_path / "evaluate"
    subprocess.run([COMPILERS[0], EXAMPLE, *flags("--cflags", "--libs"), "-o", program], check=True)
    (tmp_path / "model.kdp").write_bytes(
        pack(replace(sample(seed=1), baseline=sample(seed=2).baseline))
    )
    command = [program, tmp_path / "model.kdp"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "self-test FAILED" in done.stdout
    assert re.search(r"answers +FAILED", done.stdout)


def test_header_compiles_as_cxx(tmp_path):
    source = tmp_path / "use.cpp"
    source.write_text("#include <kdpinn.h>\nint main() { return kd_isa_name(0) == nullptr; }\n")
    program = tmp_path / "use"
    command = ["g++", "-Wall", "-Wextra", "-Werror", "-pedantic", source]
    subprocess.run([*command, *flags("--cflags", "--libs"), "-o", program], check=True)
    subprocess.run([program], check=True)
