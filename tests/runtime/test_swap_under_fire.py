"""A served file is replaced again and again while writers are killed: the old model or the new.

A supervisor replaces the model; beside it writers come that are killed at random moments, some of
them in the midst of writing. Readers in other processes evaluate all the time.
"""

import multiprocessing
import os
import random
import signal
import time
import warnings

import numpy as np
import pytest
from kdp_samples import bare_model

from kdpinn_runtime import Reloading, load, pack, write

FILES = [bare_model(sizes=(2, 9, 1), seed=1), bare_model(sizes=(2, 20, 20, 1), seed=2)]
X = np.random.default_rng(0).uniform(0, 1, (64, 2)).astype(np.float32)
# Forked, they share what is loaded: a new interpreter for each writer would take most of the time.
FORK = multiprocessing.get_context("fork")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def answers():
    return [load(pack(file))(X) for file in FILES]


def read(path, stop, counts, failures):
    """Evaluates until told to stop; every answer has to be one model's, and none may raise."""
    warnings.simplefilter("error")  # a file that could not be served would warn
    wanted = answers()
    served = Reloading(path)
    while not stop.is_set():
        served.check()
        got = served(X)
        found = [k for k, answer in enumerate(wanted) if np.array_equal(got, answer)]
        if len(found) != 1:
            failures.value += 1
            return
        counts[found[0]] += 1


def write_for_ever(path):
    for k in range(1_000_000):
        write(path, FILES[k % 2])


def replace_beside_dying_writers(path, swaps, rng):
    """Replaces the file `swaps` times; meanwhile writers come and are killed. How many were."""
    writer, killed = None, 0
    for k in range(swaps):
        if writer is None and rng.random() < 0.1:
            writer = FORK.Process(target=write_for_ever, args=(path,))
            writer.start()
        write(path, FILES[(k + 1) % 2])
        if writer is not None and rng.random() < 0.2:
            time.sleep(rng.uniform(0, 0.005))
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
            writer, killed = None, killed + 1
            load(path)  # whole, whatever the writer was doing
    if writer is not None:
        writer.kill()
        writer.join()
    return killed


@pytest.mark.parametrize("swaps", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_readers_meet_the_old_model_or_the_new(tmp_path, swaps):
    path = tmp_path / "model.kdp"
    write(path, FILES[0])
    stop, failures = FORK.Event(), FORK.Value("i", 0)
    counts = [FORK.Array("q", 2) for _ in range(2)]
    readers = [FORK.Process(target=read, args=(path, stop, c, failures)) for c in counts]
    for reader in readers:
        reader.start()
    try:
        killed = replace_beside_dying_writers(path, swaps, random.Random(0))
        time.sleep(0.5)  # for a reader that the machine has not let run yet
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert [reader.exitcode for reader in readers] == [0, 0]
    assert failures.value == 0
    assert all(sum(count) > 0 for count in counts)
    assert all(sum(count[k] for count in counts) > 0 for k in (0, 1)), "both models were met"
    assert killed > swaps / 100
    # What a killed writer left is a sibling under another name, and the next writer takes it away.
    left = [p for p in tmp_path.iterdir() if p != path]
    assert all(p.name.startswith(".model.kdp.") and p.suffix == ".partial" for p in left)
    assert len(left) <= 1
