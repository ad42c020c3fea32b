"""Many evaluations by threads that share one model: the same bits, and no more memory.

python tests/soak/soak.py                       1e8 points, four threads; make soak
python tests/soak/soak.py --points 1e9 --threads 8

Each call evaluates a slice of the same points, of any length and place, in float32 or float64, as
values or as jets, and its answer has to be that of one thread bit for bit. Resident memory may
grow by 4 MiB between the first tenth and the end: numpy's and the allocator's pools take some of
that, a leak of 48 bytes a call would take more. Exit 1 if either fails.
"""
# ruff: noqa: T201

import argparse
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))
from kdp_samples import bare_model

from kdpinn_runtime import load, pack

LONGEST = 4000  # points of a call
GROWTH = 4 << 20  # bytes


def resident():
    """Bytes of this process in memory; Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class Soak:
    """The shared model, what one thread got from it, and the count of the threads."""

    def __init__(self, points):
        self.model = load(pack(bare_model(sizes=(2, 20, 20, 20, 1))), outside="count")
        inside = np.random.default_rng(0).uniform(0, 1, (2 * LONGEST, 2)).astype(np.float32)
        self.x = [inside, inside.astype(np.float64)]
        self.values = [self.model(x) for x in self.x]
        self.jets = [self.model.jet(x).channels for x in self.x]
        self.points, self.done, self.calls, self.wrong = points, 0, 0, 0
        self.lock = threading.Lock()

    def work(self, seed):
        """One thread: calls until the points are used up."""
        rng = np.random.default_rng(seed)
        while self.done < self.points:
            n = int(rng.integers(1, LONGEST)) if rng.random() < 0.9 else 1
            at, kind = int(rng.integers(0, LONGEST)), int(rng.integers(0, 2))
            x = self.x[kind][at : at + n]
            if rng.random() < 0.1:
                same = np.array_equal(self.model.jet(x).channels, self.jets[kind][:, at : at + n])
            else:
                same = np.array_equal(self.model(x), self.values[kind][at : at + n])
            with self.lock:
                self.done, self.calls, self.wrong = (
                    self.done + n,
                    self.calls + 1,
                    self.wrong + (not same),
                )


def main():
    """Exit status: 0 the same bits and flat memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=float, default=1e8)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    soak = Soak(int(options.points))
    threads = [threading.Thread(target=soak.work, args=(k,)) for k in range(options.threads)]
    start, early, peak = time.monotonic(), None, 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.05)
        if early is None and soak.done >= soak.points / 10:
            early = resident()
        if early is not None:
            peak = max(peak, resident())
    for thread in threads:
        thread.join()
    passed = time.monotonic() - start
    end = resident()
    grown = max(peak, end) - (early or end)
    print(
        f"soak: {soak.done:,} points in {soak.calls:,} calls of {options.threads} threads, "
        f"{passed:.0f} s: {soak.wrong} answers differ; resident memory {end / 2**20:.1f} MiB, "
        f"grown by {grown / 2**10:.0f} KiB since a tenth (at most {GROWTH >> 10})"
    )
    return int(soak.wrong > 0 or grown > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
