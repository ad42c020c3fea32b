"""A CMake project of a user: find_package(kdpinn_runtime), link, build, run."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kdp_samples import sample

import kdpinn_runtime
from kdpinn_runtime import paths

EXAMPLE = Path(__file__).parents[2] / "examples" / "c" / "evaluate.c"
PROJECT = """\
cmake_minimum_required(VERSION 3.21)
project(user LANGUAGES C)
find_package(kdpinn_runtime {version} REQUIRED)
add_executable(evaluate "{source}")
target_link_libraries(evaluate PRIVATE kdpinn_runtime::kdpinn)
"""


@pytest.fixture
def cmake():
    if importlib.util.find_spec("cmake"):
        return [sys.executable, "-m", "cmake"]
    if shutil.which("cmake"):
        return ["cmake"]
    pytest.skip("cmake is not installed, neither as a Python package nor on the path")


def configure(cmake, folder, *options, version="0.1"):
    project = PROJECT.format(version=version, source=EXAMPLE.as_posix())
    (folder / "CMakeLists.txt").write_text(project)
    command = [*cmake, "-S", folder, "-B", folder / "build", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("way", ["kdpinn_runtime_DIR", "CMAKE_PREFIX_PATH"])
def test_a_project_finds_links_and_runs(cmake, way, tmp_path):
    folder = {"kdpinn_runtime_DIR": paths.CMAKE, "CMAKE_PREFIX_PATH": paths.FOLDER.parent}[way]
    done = configure(cmake, tmp_path, f"-D{way}={folder}")
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [*cmake, "--build", tmp_path / "build"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kdpinn_runtime.write(tmp_path / "model.kdp", sample())
    done = subprocess.run(
        [tmp_path / "build" / "evaluate", tmp_path / "model.kdp"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "kdpinn 0.1" in done.stdout


def test_another_version_is_not_found(cmake, tmp_path):
    done = configure(cmake, tmp_path, f"-Dkdpinn_runtime_DIR={paths.CMAKE}", version="99.0")
    assert done.returncode != 0
    assert "99.0" in done.stderr


def test_the_folder_that_is_printed_is_the_one():
    command = [sys.executable, "-m", "kdpinn_runtime.paths", "--cmake"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert (Path(said) / "kdpinn_runtimeConfig.cmake").is_file()
