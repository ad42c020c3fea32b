"""What loading a file costs the C core: milliseconds a MB, and bytes beside the file.

python tests/soak/loading.py        make loading

Counted as memory: the kd_model and the stack of kd_load, which is all that loading uses; the file's
own bytes are the caller's, and so is the plan that evaluation packs afterwards (kd_plan_size).
Limits: 64 KiB, and 10 ms a MB for files of 1 MB and more; exit 1 if one is exceeded. The best of
seven loads counts, in processor time, since other work on the machine only ever adds.
"""
# ruff: noqa: T201

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "runtime"))
from core_build import compile_core, link  # noqa: E402
from kdp_samples import bare_model, sample  # noqa: E402

from kdpinn_runtime import pack  # noqa: E402

MOST_BYTES, MOST_MS = 64 << 10, 10.0


def files():
    """{name: file} from a student's size to near the cap."""
    return {
        "2-20x3-1, with baseline": sample(sizes=(2, 20, 20, 20, 1)),
        "1 MB": bare_model(sizes=(2, 500, 500, 1)),
        "16 MB": bare_model(sizes=(2, 2000, 2000, 1)),
        "60 MB": bare_model(sizes=(2, 3850, 3850, 1)),
    }


def main():
    """Exit status: 0 within the limits."""
    flags = ["-O3", "-ffp-contract=off"]
    compiler = shutil.which("gcc") or shutil.which("clang")
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        objects = compile_core(folder, compiler, flags)
        program = link(
            folder / "loading", compiler, [*flags, "-pthread"], [HERE / "loading.c"], objects
        )
        for name, file in files().items():
            path = folder / "model.kdp"
            path.write_bytes(pack(file))
            done = subprocess.run([program, path], check=True, capture_output=True, text=True)
            size, ms, beside = map(float, done.stdout.split())
            per_mb = ms / size * 1e6
            slow = size >= 1e6 and per_mb > MOST_MS
            failed += slow or beside > MOST_BYTES
            cost = f"{ms:9.3f} ms {per_mb:6.2f} ms/MB, {beside:.0f} bytes beside it"
            print(f"{name:24} {size:12,.0f} bytes {cost}")
    verdict = "within" if not failed else "NOT within"
    print(f"loading: {verdict} {MOST_MS:g} ms a MB and {MOST_BYTES} bytes")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
