"""FMU binaries by a host in C: symbols, memory, other platforms, other builds of the sources.

On Debian: apt-get install valgrind gcc-mingw-w64-x86-64 wine gcc-aarch64-linux-gnu qemu-user
"""

import re
import shutil
import subprocess
import threading
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fmpy", reason="needs FMPy (extra fmu)")

from fmu_samples import FILES, T, U, X, built, fmu, folder

import kdpinn_runtime
from kdpinn_export.fmu import FmuOptions, build_fmu, host
from kdpinn_export.fmu.archive import header_folder
from kdpinn_export.fmu.sources import STANDARD
from kdpinn_runtime.format import pack

HOST = Path(__file__).with_name("fmu_host.c")
AT = np.array([[0.5, 10.2]])
LIBC = {"calloc", "free", "malloc", "memcpy", "memset", "memcmp", "snprintf", "strcmp", "strncmp"}


def needs(*tools):
    absent = [tool for tool in tools if not shutil.which(tool)]
    return pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True, **options
    ).stdout


@cache
def program(compiler, *flags):
    """The host for one platform."""
    target = folder() / f"host-{compiler}"
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    run(compiler, *strict, f"-I{header_folder()}", HOST, "-o", target, *flags)
    return target


def answers(one, library, *command, cycles=1):
    """What the host prints: u, its derivatives, and the verdict of the self-test."""
    token = one.description.guid
    text = run(*command, library, token, str(cycles), *map(str, AT[0]))
    *numbers, passed = text.split()
    assert passed == "1"
    return [float(number) for number in numbers]


def wanted(one):
    jet = one.model.jet(AT, ())
    return [jet.value[0, 0], jet["u_x"][0], jet["u_t"][0]]


def binary(one, pattern):
    return next(one.folder.glob(f"binaries/{pattern}"))


@needs("nm")
@pytest.mark.parametrize("name", ["fmi2", "fmi3"])
def test_every_function_of_the_standard_and_nothing_else(name):
    one = fmu(name)
    header = (header_folder() / f"{name}Functions.h").read_text()
    standard = set(re.findall(rf"^ *{name.upper()}_Export \w+ +(\w+);", header, re.MULTILINE))
    assert len(standard) == {"fmi2": 44, "fmi3": 75}[name]
    lines = [line.split() for line in run("nm", "-D", binary(one, "*/*.so")).splitlines()]
    assert {words[-1] for words in lines if words[-2] == "T"} == standard
    imported = {words[-1].split("@")[0] for words in lines if words[-2] == "U"}
    assert imported <= LIBC


@needs("gcc")
def test_the_host_gets_the_models_answers():
    one = fmu("fmi2")
    assert answers(one, binary(one, "*/*.so"), program("gcc", "-ldl")) == wanted(one)


@needs("gcc", "valgrind")
@pytest.mark.parametrize("cycles", [50, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_leak_and_no_invalid_access(cycles):
    """Whole lives of instances with steps, saved states, derivatives and a refused token each."""
    one = fmu("fmi2")
    checked = ["valgrind", "-q", "--leak-check=full", "--show-leak-kinds=all", "--error-exitcode=9"]
    got = answers(one, binary(one, "*/*.so"), *checked, program("gcc", "-ldl"), cycles=cycles)
    # valgrind offers no AVX-512: other vectors, the same bound as any two orders of summation.
    assert np.allclose(got, wanted(one), rtol=1e-14, atol=1e-14)


@pytest.mark.slow
@needs("x86_64-w64-mingw32-gcc", "wine")
def test_the_windows_binary_answers_under_wine(tmp_path, monkeypatch):
    compiler = "x86_64-w64-mingw32-gcc"
    one = built("windows", FILES["plain"](), platforms=("x86_64-windows", host()))
    monkeypatch.setenv("WINEPREFIX", str(tmp_path / "wine"))
    monkeypatch.setenv("WINEDEBUG", "-all")
    where = program(compiler, "-D__USE_MINGW_ANSI_STDIO=1", "-static").with_suffix(".exe")
    assert answers(one, binary(one, "win64/*.dll"), "wine", where, cycles=3) == wanted(one)
    said = run("x86_64-w64-mingw32-objdump", "-p", binary(one, "win64/*.dll"))
    assert set(re.findall(r"DLL Name: (\S+)", said)) == {"KERNEL32.dll", "msvcrt.dll"}
    exported = set(re.findall(r"^\s*\[ *\d+\].* (\w+)$", said, re.MULTILINE))
    assert {name for name in exported if name.startswith("kd_")} == set()


@needs("aarch64-linux-gnu-gcc", "qemu-aarch64")
def test_the_aarch64_binary_answers_under_an_emulator():
    compiler = "aarch64-linux-gnu-gcc"
    one = built("both", FILES["plain"](), platforms=("aarch64-linux", host()))
    emulator = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
    got = answers(one, binary(one, "aarch64-linux/*.so"), *emulator, program(compiler, "-ldl"))
    assert np.allclose(got, wanted(one), rtol=1e-14, atol=1e-14)  # NEON: another order of sums


def test_the_same_model_gives_the_same_bytes():
    one = fmu("fmi2")
    data = pack(one.file)
    again = build_fmu(one.file, data, "fmi2", FmuOptions())
    assert again == one.path.read_bytes()
    with zipfile.ZipFile(one.path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist()[0] == "modelDescription.xml"
        assert archive.read("resources/model.kdp") == data


@pytest.mark.slow
@needs("gcc", "cmake")
@pytest.mark.parametrize("name", ["fmi2", "fmi3"])
def test_others_build_the_sources(name, tmp_path):
    """FMPy compiles what the description lists, without a flag of ours: the scalar kernels."""
    from fmpy.build import build_platform_binary

    one = fmu(name)
    shutil.copytree(one.folder, tmp_path / "unpacked")
    library = binary(one, "*/*.so").relative_to(one.folder)
    (tmp_path / "unpacked" / library).unlink()
    (tmp_path / "build").mkdir()
    build_platform_binary(tmp_path / "unpacked", tmp_path / "build", all_warnings=True)
    other = type(one)(one.path, tmp_path / "unpacked", one.file, one.options)
    with other.instance("FMU2Slave" if name == "fmi2" else "FMU3Slave") as block:
        set_real = block.setReal if name == "fmi2" else block.setFloat64
        get_real = block.getReal if name == "fmi2" else block.getFloat64
        set_real([X, T], list(AT[0]))
        scalar = kdpinn_runtime.load(pack(one.file), isa="scalar")
        assert get_real([U]) == [scalar(AT)[0, 0]]


@needs("gcc")
@pytest.mark.parametrize("name", ["fmi2", "fmi3_arrays"])
def test_our_own_sources_compile_without_a_warning(name):
    one = fmu(name)
    standard = [f for f in STANDARD[one.options.version] if f.endswith(".c")]
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{header_folder()}"]
    ours = ("block.c", "derivative.c", "states.c", *standard, "model_file.c", "processor.c")
    for file in ours:
        run("gcc", *strict, "-c", one.folder / "sources" / file, "-o", "/dev/null")


def test_instances_in_threads_do_not_meet():
    one = fmu("fmi2")
    x = np.random.default_rng(0).uniform([-1, 10], [3, 10.5], (4, 200, 2))
    got = np.empty((4, 200))

    def use(k):
        with one.instance("FMU2Slave") as block:
            for p, point in enumerate(x[k]):
                block.setReal([X, T], list(point))
                got[k, p] = block.getReal([U])[0]

    threads = [threading.Thread(target=use, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(got, one.model(x.reshape(-1, 2))[:, 0].reshape(4, 200))
