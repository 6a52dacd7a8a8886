"""A population of stored studies: many inputs prepared in parallel, and one manifest of what is there.

```
FOLDER/
  NAME.cine        a study each, as `data.store` describes
  manifest.jsonl   one line a study: name, file, hashes, views with shape and spacing, subject facts
  failed.jsonl     one line for each input of the last call that could not be prepared; absent where all could
```
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import CinemaError, InputError, OutputExistsError, UnreadableFileError, UsageError
from cinema_cmr.core.plain_values import to_plain
from cinema_cmr.data.store import STORE_SUFFIX, StoredStudy, open_study, write_study
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.names import unique_names
from cinema_cmr.io.origin import input_digest
from cinema_cmr.io.read import read_study

__all__ = ["MANIFEST_FILE", "PreparedCase", "Progress", "open_population", "prepare_population", "write_manifest"]

MANIFEST_FILE = "manifest.jsonl"
_FAILED_FILE = "failed.jsonl"


@dataclass(frozen=True, kw_only=True)
class PreparedCase:
    """What became of one input."""

    name: str
    status: str
    """"done", "kept" (there before, of the same input) or "failed"."""
    error: str | None = None
    exit_code: int = 0
    """That of the error."""


Progress = Callable[[int, int, PreparedCase], None]
"""Told after each input: how many are dealt with, of how many, and what became of it."""


def prepare_population(
    inputs: Sequence[Path],
    folder: Path | str,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[PreparedCase]:
    """Store every input as a study and write the manifest of the folder; results in the order of the inputs.

    A file that is there and was made of the same input, by its hash, is kept, so that a call that was cut off
    goes on. An input that cannot be read is told and left out. Workers are processes.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers; expected at least 1")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(Path(source), name) for source, name in zip(inputs, unique_names(inputs), strict=True)]
    found: dict[str, PreparedCase] = {}
    for case in _prepared(jobs, folder, workers=workers, overwrite=overwrite):
        found[case.name] = case
        if progress is not None:
            progress(len(found), len(jobs), case)
    cases = [found[name] for _, name in jobs]
    write_manifest(folder)
    _write_failed(folder, [case for case in cases if case.status == "failed"])
    return cases


def write_manifest(folder: Path) -> Path:
    """Write the manifest anew from the headers of the files that are there; a damaged file has no line."""
    lines = []
    for path in sorted(folder.glob(f"*{STORE_SUFFIX}")):
        if path.name.startswith("."):  # what a kill left of a file that was being written
            continue
        try:
            lines.append(json.dumps(_row(open_study(path)), ensure_ascii=False) + "\n")
        except UnreadableFileError:
            continue
    write_text(folder / MANIFEST_FILE, "".join(lines), overwrite=True)
    return folder / MANIFEST_FILE


def open_population(folder: Path | str) -> list[StoredStudy]:
    """The studies of a folder's manifest, sorted by name, their frames not yet read.

    Raises `InputError` where there is no manifest or it names no study, `UnreadableFileError` for a torn
    manifest, a file that is damaged, and one that is not what the manifest says.
    """
    path = Path(folder) / MANIFEST_FILE
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        listed = sorted((str(row["name"]), str(row["file"]), str(row["sha256"])) for row in rows)
    except OSError as error:
        raise InputError(
            f"'{path.parent.name}' has no {MANIFEST_FILE}; expected a folder that `cinema prepare` wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(f"'{path.name}' is torn ({error}); call `cinema prepare` again") from error
    if not listed:
        raise InputError(f"'{path.parent.name}' holds no prepared study; look into its {_FAILED_FILE}")
    return [_opened(path.parent / file, sha256) for _, file, sha256 in listed]


def _opened(path: Path, sha256: str) -> StoredStudy:
    study = open_study(path)
    if study.sha256 != sha256:
        raise UnreadableFileError(f"'{path.name}' is not the study of the manifest; call `cinema prepare` again")
    return study


def _prepared(jobs: list[tuple[Path, str]], folder: Path, *, workers: int, overwrite: bool) -> Iterator[PreparedCase]:
    """Prepare the inputs, yielding each when it is dealt with."""
    if workers == 1 or len(jobs) < 2:
        yield from (_prepare(source, name, folder, overwrite) for source, name in jobs)
        return
    # Spawned processes inherit no locks and threads, and are the same on every system.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        waiting = {pool.submit(_prepare, source, name, folder, overwrite): name for source, name in jobs}
        try:
            for job in as_completed(waiting):
                error = job.exception()
                yield job.result() if error is None else _failed(waiting[job], f"its process ended: {error}", 1)
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare(source: Path, name: str, folder: Path, overwrite: bool) -> PreparedCase:
    """One input to one file; never raises, as one bad study must not stop the others."""
    path = folder / f"{name}{STORE_SUFFIX}"
    try:
        digest = input_digest(source)
        if not overwrite and path.exists():
            return _kept(path, digest, name)
        write_study(read_study(source, name=name), path, source_sha256=digest, overwrite=overwrite)
    except CinemaError as error:
        return _failed(name, str(error), error.exit_code)
    except Exception as error:
        return _failed(name, f"{type(error).__name__}: {error}", 1)
    return PreparedCase(name=name, status="done")


def _kept(path: Path, digest: str, name: str) -> PreparedCase:
    if open_study(path).header.source_sha256 != digest:
        raise OutputExistsError(f"'{path.name}' is there already, made of another input; give --overwrite")
    return PreparedCase(name=name, status="kept")


def _failed(name: str, error: str, exit_code: int) -> PreparedCase:
    return PreparedCase(name=name, status="failed", error=error, exit_code=exit_code)


def _write_failed(folder: Path, failed: Sequence[PreparedCase]) -> None:
    path = folder / _FAILED_FILE
    if not failed:
        path.unlink(missing_ok=True)
        return
    lines = [json.dumps({"name": case.name, "error": case.error}, ensure_ascii=False) + "\n" for case in failed]
    write_text(path, "".join(lines), overwrite=True)


def _row(study: StoredStudy) -> dict[str, Any]:
    return {
        "name": study.name,
        "file": study.path.name,
        "sha256": study.sha256,
        "source_sha256": study.header.source_sha256,
        "views": {
            str(cine.view): {"shape": list(cine.shape), "spacing_mm": list(cine.spacing_mm)}
            for cine in study.header.cines
        },
        "subject": to_plain(study.header.subject, "subject"),
    }
