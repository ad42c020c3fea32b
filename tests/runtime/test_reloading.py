"""Files that are replaced while they serve: every answer is one model's, never a mixture."""

import os
import threading
import time
import warnings

import numpy as np
import pytest
from kdp_samples import bare_model

from kdpinn_runtime import FormatError, Reloading, ReloadWarning, load, pack, write

OLD, NEW = bare_model(sizes=(2, 9, 1), seed=1), bare_model(sizes=(2, 20, 20, 1), seed=2)
X = np.random.default_rng(0).uniform(0, 1, (300, 2)).astype(np.float32)
ANSWERS = [load(pack(file))(X) for file in (OLD, NEW)]


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "model.kdp", OLD)
    return tmp_path / "model.kdp"


def which(answer):
    """0 or 1, the model that gives exactly this answer; fails where there is none."""
    return next(k for k, each in enumerate(ANSWERS) if np.array_equal(answer, each))


def replace_bytes(path, content):
    sibling = path.with_suffix(".new")
    sibling.write_bytes(content)
    os.replace(sibling, path)


def test_a_replaced_file_takes_over(path):
    served = Reloading(path)
    assert which(served(X)) == 0
    assert served.check() is False
    write(path, NEW)
    before = served.model
    assert served.check() is True
    assert (which(served(X)), which(before(X)), served.reloads) == (1, 0, 1)
    assert served.check() is False


def test_readers_see_one_model_or_the_other(path):
    served, done, failures = Reloading(path), threading.Event(), []
    counts = [[0, 0] for _ in range(3)]

    def read(count):
        try:
            while not done.is_set():
                count[which(served(X))] += 1
                model = served.model
                values = model.jet(X, ()).value
                assert np.array_equal(values, model(X))
        except Exception as error:  # raised again below, in the thread of the test
            failures.append(error)

    readers = [threading.Thread(target=read, args=(count,)) for count in counts]
    for reader in readers:
        reader.start()
    files = [pack(NEW), pack(OLD)]
    for k in range(60):
        replace_bytes(path, files[k % 2])
        assert served.check()
        assert which(served(X)) == (k + 1) % 2
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert all(min(count) > 0 for count in counts), "each reader met both models"
    assert served.reloads == 60


@pytest.mark.parametrize("content", [b"", b"not a model", pack(NEW)[:-1], pack(NEW)[:-1] + b"\1"])
def test_a_bad_file_changes_nothing_but_the_report(path, content):
    served = Reloading(path)
    replace_bytes(path, content)
    with pytest.warns(ReloadWarning, match="model.kdp.*goes on serving"):
        assert served.check() is False
    assert isinstance(served.error, FormatError)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert served.check() is False  # reported once
    assert which(served(X)) == 0
    write(path, NEW)
    assert served.check() is True
    assert served.error is None
    assert which(served(X)) == 1


def test_a_missing_file_changes_nothing_but_the_report(path):
    served = Reloading(path)
    path.unlink()
    with pytest.warns(ReloadWarning, match="goes on serving"):
        served.check()
    assert isinstance(served.error, FileNotFoundError)
    assert which(served(X)) == 0
    write(path, NEW)
    assert served.check() is True


def test_a_file_written_in_place_is_served_once_it_is_whole(path):
    served = Reloading(path)
    content = pack(NEW)
    with open(path, "wb") as stream:
        stream.write(content[:700])
        stream.flush()
        with pytest.warns(ReloadWarning):
            served.check()
        assert which(served(X)) == 0
        stream.write(content[700:])
    assert served.check() is True
    assert which(served(X)) == 1


def test_the_watcher_looks_by_itself(path):
    with Reloading(path, period_s=0.01) as served:
        write(path, NEW)
        deadline = time.monotonic() + 30
        while which(served(X)) == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert which(served(X)) == 1
    write(path, OLD)
    time.sleep(0.05)
    assert which(served(X)) == 1, "closed: it no longer looks"


def test_what_cannot_be_served_at_first_is_refused(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        Reloading(tmp_path / "none.kdp")
    path.write_bytes(b"no")
    with pytest.raises(FormatError):
        Reloading(path)
    with pytest.raises(ValueError, match="period_s.*0"):
        Reloading(path, period_s=0)
