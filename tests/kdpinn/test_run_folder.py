"""The folder of a run: nothing is lost, nothing half-written stays, and every refusal is clear."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdpinn import atomic, run_folder
from kdpinn.run_folder import RunFolder, RunFolderError, read_plan

PLAN = {"problem": "wave", "preset": "quick", "seed": 0, "recipe": {"widths": (8, 8), "cap": 1e9}}


def opened(path: Path, plan: object = None, **flags: bool) -> RunFolder:
    choice = {"resume": False, "overwrite": False} | flags
    return RunFolder.open(path, plan or PLAN, **choice)  # type: ignore[arg-type]


def finish(folder: RunFolder, stage: str, name: str, text: str = "content") -> Path:
    path = folder.path / name
    atomic.write_text(path, text)
    folder.finish(stage, {"seconds": 1.0}, [path])
    return path


def test_a_finished_stage_is_known_until_its_files_change(tmp_path: Path) -> None:
    with opened(tmp_path / "new" / "deep") as folder:
        assert folder.finished("teacher") is None
        path = finish(folder, "teacher", "teacher.kdp")
        assert folder.finished("teacher") == {"seconds": 1.0}
        path.write_text("short")
        assert folder.finished("teacher") is None
        path.unlink()
        assert folder.finished("teacher") is None


@pytest.mark.parametrize("done", [True, False])
def test_a_second_run_must_choose(tmp_path: Path, done: bool) -> None:
    with opened(tmp_path) as folder:
        finish(folder, "teacher", "teacher.kdp")
        if done:
            finish(folder, "report", "report.html")
    with pytest.raises(RunFolderError, match=r"(?s)wave.*--resume.*--overwrite.*--out") as caught:
        opened(tmp_path)
    assert ("unfinished" in str(caught.value)) is not done
    assert (tmp_path / "teacher.kdp").exists()


def test_resume_keeps_and_overwrite_deletes_only_its_own(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        finish(folder, "teacher", "teacher.kdp")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "run" / ".x.part").write_text("torn")
    with opened(tmp_path, resume=True) as folder:
        assert folder.finished("teacher") is not None
        assert not (tmp_path / "run" / ".x.part").exists()
    with opened(tmp_path, overwrite=True) as folder:
        assert folder.finished("teacher") is None
    assert not (tmp_path / "teacher.kdp").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_another_plan_is_not_resumed(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with pytest.raises(RunFolderError, match=r"seed 0.*seed 1.*differ in seed"):
        opened(tmp_path, {**PLAN, "seed": 1}, resume=True)


def test_files_of_another_origin_are_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "student.kdp").write_text("precious")
    with pytest.raises(RunFolderError, match=r"student\.kdp.*Nothing was changed"):
        opened(tmp_path)
    assert (tmp_path / "student.kdp").read_text() == "precious"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        opened(tmp_path),
        pytest.raises(RunFolderError, match=rf"process \(id {os.getpid()}\)"),
    ):
        opened(tmp_path, resume=True)
    opened(tmp_path, resume=True).close()


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(RunFolderError, match=r"cannot be written.*nothing was started"):
        opened(tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match=r"cannot be written to \(Permission denied\)"):
        opened(tmp_path)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"free": 2**20})
    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RunFolderError, match=r"1\.0 MiB left.*32 MiB"):
        opened(tmp_path)


def test_a_damaged_plan(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "run" / "plan.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"plan\.json is damaged"):
        opened(tmp_path, resume=True)
    with pytest.raises(RunFolderError, match="holds no run"):
        read_plan(tmp_path / "elsewhere")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    atomic.write_text(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
