"""How a run goes, in files that any terminal reads: rate, time left, failures by cause, memory."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.serialise import from_result, json_values
from cinema_cmr.files.lock import is_held
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_json
from cinema_cmr.population.outcome import StudyOutcome

__all__ = [
    "RunStatus",
    "StatusFile",
    "is_running",
    "keep_shards",
    "read_statuses",
    "status_lines",
    "unfinished_shards",
]

_WHOLE = "1-of-1"
"""Shard of a run that is not divided."""
_WRITTEN_EVERY_S = 5.0
_METRICS_EVERY_S = 30.0


@dataclass(kw_only=True)
class RunStatus:
    """State of one run, or of one shard."""

    shard: str
    engine: str
    workers: int
    total: int
    """Studies of this run."""
    kept: int
    """Finished by an earlier run."""
    done: int = 0
    failed: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    """Cause -> failures of this run."""
    seconds: float = 0.0
    per_hour: float = 0.0
    """Studies, failed ones too."""
    left_s: float | None = None
    peak_mb: float = 0.0
    """Largest memory of any worker."""
    updated: int = 0
    """Seconds since 1970."""
    finished: bool = False


class StatusFile:
    """Writes the state of a run beside its outcomes as they come in: status/SHARD.json at most every 5 s, and a line of
    metrics at most every 30 s."""

    def __init__(self, folder: Path, status: RunStatus) -> None:
        self.status = status
        self._path = folder / "status" / f"{status.shard}.json"
        self._metrics = folder / "status" / f"{status.shard}.metrics.jsonl"
        self._started = time.monotonic()
        self._written = self._measured = float("-inf")
        self._causes: Counter[str] = Counter()
        self._write()

    def count(self, outcome: StudyOutcome) -> None:
        """Count an outcome that has just come in."""
        status = self.status
        status.done += outcome.cause is None
        status.failed += outcome.cause is not None
        if outcome.cause is not None:
            self._causes[outcome.cause] += 1
        status.causes = dict(sorted(self._causes.items()))
        status.peak_mb = max(status.peak_mb, outcome.cost.peak_mb)
        if time.monotonic() - self._written > _WRITTEN_EVERY_S:
            self._write()

    def finish(self) -> None:
        """Write the last state."""
        self.status.finished = True
        self._write()

    def _write(self) -> None:
        status, now = self.status, time.monotonic()
        status.seconds = round(now - self._started, 1)
        worked = status.done + status.failed
        status.per_hour = round(3600 * worked / status.seconds, 1) if status.seconds else 0.0
        left = status.total - status.kept - worked
        status.left_s = round(left * status.seconds / worked) if worked else None
        status.updated = int(time.time())
        write_json(self._path, json_values(status), overwrite=True)
        self._written = now
        if now - self._measured > _METRICS_EVERY_S or status.finished:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(json_values(status)) + "\n")
            self._measured = now


def read_statuses(folder: Path) -> list[RunStatus]:
    """Read the state of every shard; raises `InputError` for a folder without any."""
    paths = sorted((folder / "status").glob("*.json"))
    if not paths:
        raise InputError(f"'{folder.name}' has no status; expected a folder that `cinema population` writes to")
    try:
        return [from_result(RunStatus, read_json(path), path.name) for path in paths]
    except (UsageError, OSError) as error:
        raise UnreadableFileError(f"a status of '{folder.name}' is damaged; expected one of this version") from error


def status_lines(folder: Path, statuses: list[RunStatus]) -> list[str]:
    """Return a line for each shard: what is done, how fast, how long, why studies failed, whether it runs."""
    return [_line(status, running=is_running(folder, status)) for status in statuses]


def is_running(folder: Path, status: RunStatus) -> bool:
    """Return whether a process works on a shard, by the lock that it holds."""
    return not status.finished and is_held(folder / "status" / f"lock-{status.shard}")


def unfinished_shards(folders: Iterable[Path]) -> list[str]:
    """Return a line for each run or shard of which these folders have no end: it stopped, still works, or is elsewhere.

    Shards of a folder that was also done as a whole are of no account, nor are those of one number once all those of
    another are complete.
    """
    lines, found = [], defaultdict[int, dict[int, RunStatus]](dict)
    for folder in folders:
        statuses = {one.shard: one for one in read_statuses(folder)} if any(folder.glob("status/*.json")) else {}
        whole = statuses.pop(_WHOLE, None)
        if whole is not None and whole.finished:
            continue
        if whole is not None:
            lines.append(f"'{folder.name}' has not ended: {_worked(whole)} of {whole.total} studies")
        for shard, status in statuses.items():
            number, count = map(int, shard.split("-of-"))
            known = found[count].get(number)
            if known is None or _is_later(status, known):
                found[count][number] = status
    missing = [_without_end(count, shards) for count, shards in found.items()]
    return lines + ([line for each in missing for line in each] if all(missing) else [])


def keep_shards(sources: Iterable[Path], folder: Path) -> None:
    """Write the latest state of the shards of other folders into a merged one, which thus knows what it lacks."""
    for source in sources:
        for status in read_statuses(source) if any(source.glob("status/*.json")) else ():
            path = folder / "status" / f"{status.shard}.json"
            known = from_result(RunStatus, read_json(path), path.name) if path.exists() else None
            if status.shard != _WHOLE and (known is None or _is_later(status, known)):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, json_values(status), overwrite=True)


def _is_later(status: RunStatus, known: RunStatus) -> bool:
    return (status.finished, status.updated) > (known.finished, known.updated)


def _without_end(count: int, shards: Mapping[int, RunStatus]) -> list[str]:
    lines = []
    for number in range(1, count + 1):
        status = shards.get(number)
        if status is None:
            lines.append(f"shard {number}/{count} is not in these folders")
        elif not status.finished:
            lines.append(f"shard {number}/{count} has not ended: {_worked(status)} of {status.total} studies")
    return lines


def _worked(status: RunStatus) -> int:
    return status.kept + status.done + status.failed


def _line(status: RunStatus, *, running: bool) -> str:
    stopped = "stopped: call again to continue"
    state = "finished" if status.finished else _left(status.left_s) if running else stopped
    causes = ", ".join(f"{n} {cause}" for cause, n in status.causes.items())
    failed = f"{status.failed} failed{f' ({causes})' if causes else ''}"
    rate = f"{status.per_hour:g} an hour with {status.workers} workers ({status.engine}), {status.peak_mb:.0f} MB"
    return f"{status.shard}: {_worked(status)} of {status.total} ({status.kept} before), {failed}; {rate}; {state}"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60} min left" if hours else f"{rest // 60} min {rest % 60} s left"
