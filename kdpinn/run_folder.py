"""The folder of one run: what is finished, what may be resumed, and that nothing is lost.

DIR/                  models, derived files, metrics.json, report.html
DIR/run/plan.json     what was asked for; a run is resumed only under the same plan
DIR/run/STAGE.json    written last: the stage is finished, and these are its facts and files
DIR/run/...           checkpoints, logs and fields of the stages
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from kdpinn import atomic

LEAST_FREE_BYTES = 32 * 2**20
_PLAN = "plan.json"
_SUMMARY = ("problem", "preset", "seed")


class RunFolderError(RuntimeError):
    """The output folder cannot take this run; the message says what to do."""


class RunFolder:
    """An output folder that this process may write to, held until `close`.

    Use `RunFolder.open`; the object is a context manager.
    """

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self.state = path / "run"
        self._lock = lock

    @classmethod
    def open(
        cls, path: Path, plan: Mapping[str, Any], *, resume: bool, overwrite: bool
    ) -> RunFolder:
        """Make or take over the folder, before any work is done.

        Args:
            plan: JSON object; all that decides the results. Must equal the plan of the run that
                is resumed.
            resume: keep the finished stages of an earlier run; starts one if there is none.
            overwrite: delete the files of an earlier run (and no others).
        Raises:
            RunFolderError: not writable or nearly full; holds a run and neither flag is given;
                holds a run of another plan; files of another origin are in the way; or another
                process is at work in it.
        """
        state = path / "run"
        _make_writable(path, state)
        folder = cls(path, _locked(state / "lock", path))
        try:
            folder._take_over(_normal(plan), resume=resume, overwrite=overwrite)
        except BaseException:
            folder.close()
            raise
        return folder

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes in."""
        self._lock.close()

    def finished(self, stage: str) -> dict[str, Any] | None:
        """Facts of a finished stage whose files are all still there, else None."""
        marker = _read(self.state / f"{stage}.json")
        if marker is None:
            return None
        for name, octets in marker["files"].items():
            file = self.path / name
            if not file.is_file() or file.stat().st_size != octets:
                return None
        return dict(marker["facts"])

    def finish(self, stage: str, facts: Mapping[str, Any], files: list[Path]) -> None:
        """Mark the stage as finished; `files` are what it left."""
        sizes = {str(f.relative_to(self.path)): f.stat().st_size for f in files}
        text = json.dumps({"facts": dict(facts), "files": sizes}, indent=1)
        atomic.write_text(self.state / f"{stage}.json", text + "\n")

    def _take_over(self, plan: dict[str, Any], *, resume: bool, overwrite: bool) -> None:
        found = _read(self.state / _PLAN)
        if found is not None and overwrite:
            self._clear()
            found = None
        if found is not None and not resume:
            raise RunFolderError(_choices(self.path, found, bool(self.finished("report"))))
        if found is not None and found != plan:
            raise RunFolderError(_differs(self.path, found, plan))
        for part in [*self.path.glob(".*.part*"), *self.state.glob(".*.part*")]:
            part.unlink(missing_ok=True)  # left by a killed process: .part, .partial
        if found is None:
            self._refuse_strangers()
            atomic.write_text(self.state / _PLAN, json.dumps(plan, indent=1) + "\n")

    def _clear(self) -> None:
        """Delete what earlier runs wrote: their stages' files and the state."""
        for marker in self.state.glob("*.json"):
            for name in (_read(marker) or {}).get("files", {}):
                (self.path / name).unlink(missing_ok=True)
        for entry in self.state.iterdir():
            if entry.name == "lock":
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _refuse_strangers(self) -> None:
        names = ("teacher.kdp", "student.kdp", "student.onnx", "metrics.json", "report.html")
        there = [name for name in names if (self.path / name).exists()]
        if there:
            raise RunFolderError(
                f"{self.path} holds {', '.join(there)}, but no run that wrote them. Nothing was "
                "changed: choose another --out, or move these files away."
            )


def fingerprint(plan: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that name a plan."""
    text = json.dumps(_normal(plan), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_plan(path: Path) -> dict[str, Any]:
    """The plan of the run in a folder.

    Raises:
        RunFolderError: there is no run in it.
    """
    plan = _read(path / "run" / _PLAN)
    if plan is None:
        raise RunFolderError(f"{path} holds no run (no run/{_PLAN}): start one with `kdpinn run`.")
    return plan


def _make_writable(path: Path, state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path / "probe", b"\0" * 4096)
        (path / "probe").unlink()
        atomic.write_bytes(state / "probe", b"")
        (state / "probe").unlink()
    except OSError as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise RunFolderError(
            f"The output folder {path} cannot be written to ({cause.strerror}). "
            "Choose another with --out; nothing was started."
        ) from error
    free = shutil.disk_usage(path).free
    if free < LEAST_FREE_BYTES:
        raise RunFolderError(
            f"The output folder {path} has {free / 2**20:.1f} MiB left, a run needs "
            f"{LEAST_FREE_BYTES // 2**20} MiB. Make room or choose another with --out; nothing "
            "was started."
        )


def _locked(lock: Path, path: Path) -> IO[str]:
    file = lock.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise RunFolderError(
            f"Another process (id {holder}) is at work in {path}. Wait for it, or choose another "
            "--out."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _choices(path: Path, plan: Mapping[str, Any], finished: bool) -> str:
    state = "a finished" if finished else "an unfinished"
    what = "keeps it and only makes what is missing" if finished else "continues it"
    return (
        f"{path} holds {state} run ({_summary(plan)}). Nothing was changed. Say which you want:\n"
        f"  --resume     {what}\n"
        "  --overwrite  deletes it and starts anew\n"
        "  --out DIR    leaves it and works elsewhere"
    )


def _differs(path: Path, found: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    keys = [k for k in sorted({*found, *plan}) if found.get(k) != plan.get(k)]
    return (
        f"{path} holds a run of another plan ({_summary(found)}), you asked for "
        f"{_summary(plan)}; they differ in {', '.join(keys)}. Nothing was changed. Ask for the "
        "same plan, delete it with --overwrite, or choose another --out."
    )


def _summary(plan: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {plan.get(key)}" for key in _SUMMARY)


def _normal(plan: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples are lists, infinity is null."""
    normal: dict[str, Any] = json.loads(json.dumps(_finite(plan), default=str))
    return normal


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and value in (float("inf"), float("-inf")) else value


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunFolderError(
            f"{path} is damaged ({error}). Start anew with --overwrite, or another --out."
        ) from error
    return dict(content)
