"""A population of stored studies: many inputs prepared, with a manifest.

```
FOLDER/
  NAME.cine        one study each, see `data.store`
  manifest.jsonl   one line per study: name, file, hashes, views with shape and spacing, subject facts
  failed.jsonl     one line per input of the last call that failed; absent if none did
```
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from cinema_cmr.core.errors import InputError, OutputExistsError, UnreadableFileError, UsageError, as_cinema_error
from cinema_cmr.core.serialise import Json, to_dict
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import STORE_SUFFIX, StoredStudy, open_study, write_study
from cinema_cmr.files.text import read_json_lines
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.names import unique_names
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.io.read import read_study

__all__ = [
    "MANIFEST_FILE",
    "PreparedCase",
    "Progress",
    "Source",
    "StoreSources",
    "open_population",
    "prepare_population",
    "store_source",
    "store_sources",
    "write_manifest",
]

MANIFEST_FILE = "manifest.jsonl"
_FAILED_FILE = "failed.jsonl"
_CHECKED = 1000
"""Files that are opened when a store is: of 100,000 that would take minutes, on a network disk more."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An input with a name or facts of its own, or that is not a single path, such as a case of a dataset."""

    name: str
    """Name of the stored study and its file."""
    paths: tuple[Path, ...]
    """Paths that it is read from; their content identifies the input."""
    read: Callable[[], Study]
    """Function that reads it; must be picklable."""
    subject: Subject = field(default_factory=Subject)
    """Facts that replace those of the files; with others, a stored study counts as made from another input."""


@dataclass(frozen=True, kw_only=True)
class PreparedCase:
    """Outcome of one input."""

    name: str
    status: Literal["done", "kept", "failed"]
    """ "done", "kept" (already stored from the same input) or "failed"."""
    error: str | None = None
    exit_code: int = 0
    """Exit code of the error."""


Progress = Callable[[int, int, PreparedCase], None]
"""Called after each input: number finished, total number, outcome."""

StoreSources = Callable[[Sequence[Source], Path, bool], Iterator[PreparedCase]]
"""Stores sources in a folder, replacing what is there or not, and yields the outcome of each, in any order."""


def prepare_population(
    inputs: Sequence[Path | Source],
    folder: Path | str,
    *,
    store: StoreSources | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[PreparedCase]:
    """Store every input as a study and write the folder's manifest; results are in the order of the inputs.

    An existing file made from the same input, by its hash, is kept, so that an interrupted call can be resumed. An
    unreadable input is reported as failed and skipped. `store` does the work, by default `store_sources` in this
    process. Raises `UsageError` for two inputs with the same name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sources = _sources(inputs)
    found: dict[str, PreparedCase] = {}
    for case in (store or store_sources)(sources, folder, overwrite):
        found[case.name] = case
        if progress is not None:
            progress(len(found), len(sources), case)
    cases = [found[source.name] for source in sources]
    write_manifest(folder)
    _write_failed(folder, [case for case in cases if case.status == "failed"])
    return cases


def write_manifest(folder: Path) -> Path:
    """Rewrite the manifest from the headers of the stored files; a damaged file, or a link to none, is omitted."""
    lines = []
    for path in sorted(folder.glob(f"*{STORE_SUFFIX}")):
        if path.name.startswith("."):  # remains of an interrupted write
            continue
        try:
            lines.append(json.dumps(_row(open_study(path)), ensure_ascii=False) + "\n")
        except InputError:
            continue
    write_text(folder / MANIFEST_FILE, "".join(lines), overwrite=True)
    return folder / MANIFEST_FILE


def open_population(folder: Path | str) -> list[StoredStudy]:
    """Open the studies in a folder's manifest, sorted by name; frames are not read yet.

    All files must be there, and at most 1000 of them, evenly drawn, are opened and compared with the manifest; of a
    larger store the others are when they are first used. Raises `InputError` if there is no manifest or it is empty,
    `UnreadableFileError` for a damaged manifest or file, for one that is missing and for one that does not match the
    manifest.
    """
    path = Path(folder) / MANIFEST_FILE
    try:
        studies = sorted((_listed(path.parent, row) for row in read_json_lines(path)), key=lambda one: one.name)
    except OSError as error:
        raise InputError(
            f"'{path.parent.name}' has no {MANIFEST_FILE}; expected a folder written by `cinema prepare`: check the"
            " path"
        ) from error
    except (UnreadableFileError, KeyError, TypeError, ValueError) as error:
        raise UnreadableFileError(
            f"'{path.name}' is damaged ({type(error).__name__}); expected one JSON object per line: run"
            " `cinema prepare` again"
        ) from error
    if not studies:
        raise InputError(f"'{path.parent.name}' holds no prepared study; expected at least one: see its {_FAILED_FILE}")
    if any(one.path.parent != path.parent for one in studies):
        raise UnreadableFileError(
            f"'{path.name}' lists a file outside its folder; expected names alone: run `cinema prepare` again"
        )
    _check_files(path.parent, studies)
    return studies


def _listed(folder: Path, row: Any) -> StoredStudy:
    """Return the study of a row; raises `KeyError`, `TypeError` or `ValueError` for one of another form."""
    views = tuple(View(name) for name in dict(row["views"]))
    return StoredStudy(path=folder / str(row["file"]), name=str(row["name"]), views=views, sha256=str(row["sha256"]))


def _check_files(folder: Path, studies: Sequence[StoredStudy]) -> None:
    with os.scandir(folder) as entries:
        present = {entry.name for entry in entries}
    missing = [study.path.name for study in studies if study.path.name not in present]
    if missing:
        raise UnreadableFileError(
            f"'{folder.name}' lacks {len(missing)} studies of its manifest, first '{missing[0]}'; expected all of them:"
            " run `cinema prepare` again"
        )
    for study in studies[:: -(-len(studies) // _CHECKED)]:
        if open_study(study.path) != study:
            raise UnreadableFileError(
                f"'{study.path.name}' does not match the manifest; expected the study it lists: run `cinema prepare`"
                " again"
            )


def _sources(inputs: Sequence[Path | Source]) -> list[Source]:
    """Return the inputs as sources with unique names, in order."""
    paths = [one for one in inputs if not isinstance(one, Source)]
    names = dict(zip(paths, unique_names(paths), strict=True))
    sources = [
        one if isinstance(one, Source) else Source(name=names[one], paths=(one,), read=partial(read_study, one))
        for one in inputs
    ]
    repeated = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if repeated:
        raise UsageError(
            f"two inputs have the name '{repeated[0]}'; expected unique names: rename one or prepare them separately"
        )
    return sources


def store_sources(sources: Sequence[Source], folder: Path, overwrite: bool) -> Iterator[PreparedCase]:
    """Store the sources one after the other; one that cannot be read does not stop the others."""
    for source in sources:
        try:
            yield store_source(source, folder, overwrite=overwrite)
        except Exception as error:
            reported = as_cinema_error(error)
            yield PreparedCase(name=source.name, status="failed", error=str(reported), exit_code=reported.exit_code)


def store_source(source: Source, folder: Path, *, overwrite: bool = False) -> PreparedCase:
    """Store one input; raises what reading and writing it raise, `OutputExistsError` for a file of another input."""
    name = source.name
    path = folder / f"{name}{STORE_SUFFIX}"
    digest = _digest(source)
    if not overwrite and path.exists():
        return _keep_existing(path, digest, name)
    study = source.read()
    study = replace(study, name=name, subject=source.subject.fill_from(study.subject))
    write_study(study, path, source_sha256=digest, overwrite=overwrite)
    return PreparedCase(name=name, status="done")


def _digest(source: Source) -> str:
    """Return the hash of all files and of the facts given beside them; of a single file without facts its own."""
    digests = [input_digest(path) for path in source.paths]
    if source.subject != Subject():
        digests.append(repr(source.subject))
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _keep_existing(path: Path, digest: str, name: str) -> PreparedCase:
    stored = open_study(path)
    if stored.header.source_sha256 != digest:
        raise OutputExistsError(
            f"'{path.name}' already exists, made from another input; expected the same input: pass --overwrite to"
            " replace it"
        )
    stored.check()
    return PreparedCase(name=name, status="kept")


def _write_failed(folder: Path, failed: Sequence[PreparedCase]) -> None:
    path = folder / _FAILED_FILE
    if not failed:
        path.unlink(missing_ok=True)
        return
    lines = [json.dumps({"name": case.name, "error": case.error}, ensure_ascii=False) + "\n" for case in failed]
    write_text(path, "".join(lines), overwrite=True)


def _row(study: StoredStudy) -> dict[str, Json]:
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
