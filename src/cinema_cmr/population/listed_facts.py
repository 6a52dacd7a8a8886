"""The facts of the studies as their latest listing gives them: a file a shard in `facts/`, a line a study.

A fact that no measurement uses may be corrected or added without doing a study anew; the tables take it from here. Only
the process that holds a shard's lock writes its file, so that shards that list at the same time, on one machine or on
many, replace no fact of each other, whatever their file system promises about locks and stale reads.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError, UsageError
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.core.study import Facts
from cinema_cmr.files.text import read_json_lines
from cinema_cmr.io.atomic import write_text
from cinema_cmr.population.listed_studies import ListedStudy

__all__ = ["keep_facts", "listed_facts", "take_facts"]

_FOLDER = "facts"
_FORMER = "facts.jsonl"
"""The one file of all shards that earlier versions kept; read, never written."""
_WHOLE = (1, 1)


@dataclass(frozen=True, kw_only=True)
class _Listed:
    study: str
    listed_ms: int
    """Time of the listing, since 1970."""
    facts: Facts


def keep_facts(folder: Path, studies: Sequence[ListedStudy], shard: tuple[int, int] = _WHOLE) -> None:
    """Keep the facts of a shard's studies in place of those of an earlier listing; other studies keep theirs.

    The caller holds the lock of the shard.
    """
    now = time.time_ns() // 1_000_000
    _keep(folder, [_Listed(study=study.name, listed_ms=now, facts=study.facts) for study in studies], shard)


def take_facts(folder: Path, sources: Sequence[Path]) -> None:
    """Take the facts of other populations into one, of several listings of a study the latest.

    The caller holds the lock of the shard 1 of 1.
    """
    taken = [one for source in sources for one in _latest(source).values()]
    if taken:
        _keep(folder, taken, _WHOLE)


def listed_facts(folder: Path) -> dict[str, Facts]:
    """Return study -> its facts by the latest listing, of whichever shard; empty where no listing was kept.

    Raises `UnreadableFileError` for a damaged file.
    """
    return {name: one.facts for name, one in _latest(folder).items()}


def _keep(folder: Path, listed: Iterable[_Listed], shard: tuple[int, int]) -> None:
    path = folder / _FOLDER / f"{shard[0]}-of-{shard[1]}.jsonl"
    write_text(path, _lines(_merged([*_read(path), *listed])), overwrite=True)


def _latest(folder: Path) -> dict[str, _Listed]:
    paths = [folder / _FORMER, *sorted((folder / _FOLDER).glob("[!.]*.jsonl"))]
    return _merged(one for path in paths for one in _read(path))


def _merged(listed: Iterable[_Listed]) -> dict[str, _Listed]:
    """Return the latest listing of each study, of equal times the last."""
    kept: dict[str, _Listed] = {}
    for one in listed:
        known = kept.get(one.study)
        if known is None or one.listed_ms >= known.listed_ms:
            kept[one.study] = one
    return kept


def _lines(kept: Mapping[str, _Listed]) -> str:
    return "".join(json.dumps(to_dict(kept[name]), separators=(",", ":")) + "\n" for name in sorted(kept))


def _read(path: Path) -> list[_Listed]:
    try:
        return [from_dict(_Listed, line, path.name) for line in read_json_lines(path)]
    except FileNotFoundError:
        return []
    except (OSError, UsageError, UnreadableFileError) as error:
        raise UnreadableFileError(
            f"'{_FOLDER}/{path.name}' is damaged; expected a line of JSON a study: remove it, and call `cinema"
            " population` again with the manifest"
        ) from error
