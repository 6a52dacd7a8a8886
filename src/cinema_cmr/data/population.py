"""A population of stored studies: many inputs prepared in parallel, and one manifest of what is there.

```
FOLDER/
  NAME.cine        a study each, as `data.store` describes
  manifest.jsonl   one line a study: name, file, hashes, views with shape and spacing, subject facts
  failed.jsonl     one line for each input of the last call that could not be prepared; absent where all could
```
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import CinemaError, InputError, OutputExistsError, UnreadableFileError, UsageError
from cinema_cmr.core.serialise import to_dict
from cinema_cmr.core.study import Study
from cinema_cmr.data.store import STORE_SUFFIX, StoredStudy, open_study, write_study
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.names import unique_names
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.io.read import read_study

__all__ = [
    "MANIFEST_FILE",
    "PreparedCase",
    "Progress",
    "Source",
    "open_population",
    "prepare_population",
    "write_manifest",
]

MANIFEST_FILE = "manifest.jsonl"
_FAILED_FILE = "failed.jsonl"


@dataclass(frozen=True, kw_only=True)
class Source:
    """An input that is not one path: a dataset's case, for example."""

    name: str
    """Of the stored study and its file."""
    paths: tuple[Path, ...]
    """What it is read from; their content tells it from another input."""
    read: Callable[[], Study]
    """Reads it; must be fit to be sent to another process."""


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
    inputs: Sequence[Path | Source],
    folder: Path | str,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[PreparedCase]:
    """Store every input as a study and write the manifest of the folder; results in the order of the inputs.

    A file that is there and was made of the same input, by its hash, is kept, so that a call that was cut off
    goes on. An input that cannot be read is told and left out. Workers are processes. Raises `UsageError` for two
    inputs of one name.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers; expected at least 1")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = _sources(inputs)
    found: dict[str, PreparedCase] = {}
    for case in _prepared(jobs, folder, workers=workers, overwrite=overwrite):
        found[case.name] = case
        if progress is not None:
            progress(len(found), len(jobs), case)
    cases = [found[job.name] for job in jobs]
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


def _sources(inputs: Sequence[Path | Source]) -> list[Source]:
    """The inputs with a name each, in their order."""
    paths = [one for one in inputs if not isinstance(one, Source)]
    names = dict(zip(paths, unique_names(paths), strict=True))
    sources = [
        one if isinstance(one, Source) else Source(name=names[one], paths=(one,), read=partial(read_study, one))
        for one in inputs
    ]
    twice = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if twice:
        raise UsageError(f"two inputs would be called '{twice[0]}'; rename one or prepare them apart")
    return sources


def _prepared(jobs: list[Source], folder: Path, *, workers: int, overwrite: bool) -> Iterator[PreparedCase]:
    """Prepare the inputs, yielding each when it is dealt with."""
    if workers == 1 or len(jobs) < 2:
        yield from (_prepare(source, folder, overwrite) for source in jobs)
        return
    # Spawned processes inherit no locks and threads, and are the same on every system.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        waiting = {pool.submit(_prepare, source, folder, overwrite): source.name for source in jobs}
        try:
            for job in as_completed(waiting):
                error = job.exception()
                yield job.result() if error is None else _failed(waiting[job], f"its process ended: {error}", 1)
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare(source: Source, folder: Path, overwrite: bool) -> PreparedCase:
    """One input to one file; never raises, as one bad study must not stop the others."""
    name = source.name
    path = folder / f"{name}{STORE_SUFFIX}"
    try:
        digest = _digest(source.paths)
        if not overwrite and path.exists():
            return _kept(path, digest, name)
        study = replace(source.read(), name=name)
        write_study(study, path, source_sha256=digest, overwrite=overwrite)
    except CinemaError as error:
        return _failed(name, str(error), error.exit_code)
    except Exception as error:
        return _failed(name, f"{type(error).__name__}: {error}", 1)
    return PreparedCase(name=name, status="done")


def _digest(paths: Sequence[Path]) -> str:
    digests = [input_digest(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


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
        "subject": to_dict(study.header.subject, "subject"),
    }
