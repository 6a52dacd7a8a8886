"""The facts of the studies as their latest listing gives them: `facts.jsonl` beside the outcomes, a line a study.

A fact that no measurement uses may be corrected or added without doing a study anew; the tables take it from here.
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
from cinema_cmr.files.lock import waiting_lock
from cinema_cmr.files.text import read_json_lines
from cinema_cmr.io.atomic import write_text
from cinema_cmr.population.listed_studies import ListedStudy

__all__ = ["keep_facts", "listed_facts", "take_facts"]

_FILE = "facts.jsonl"


@dataclass(frozen=True, kw_only=True)
class _Listed:
    study: str
    listed_ms: int
    """Time of the listing, since 1970."""
    facts: Facts


def keep_facts(folder: Path, studies: Sequence[ListedStudy]) -> None:
    """Keep the facts of studies in place of those of an earlier listing; other studies keep theirs."""
    now = time.time_ns() // 1_000_000
    _keep(folder, [_Listed(study=study.name, listed_ms=now, facts=study.facts) for study in studies])


def take_facts(folder: Path, sources: Sequence[Path]) -> None:
    """Take the facts of other populations into one, of several listings of a study the latest."""
    _keep(folder, [one for source in sources for one in _read(source).values()])


def listed_facts(folder: Path) -> dict[str, Facts]:
    """Return study -> its facts by the latest listing; empty where no listing was kept.

    Raises `UnreadableFileError` for a damaged file.
    """
    return {name: one.facts for name, one in _read(folder).items()}


def _keep(folder: Path, listed: Iterable[_Listed]) -> None:
    with waiting_lock(folder / "status" / "lock-facts"):  # shards of one folder list at the same time
        kept = _read(folder)
        for one in listed:
            known = kept.get(one.study)
            if known is None or one.listed_ms >= known.listed_ms:
                kept[one.study] = one
        write_text(folder / _FILE, _lines(kept), overwrite=True)


def _lines(kept: Mapping[str, _Listed]) -> str:
    return "".join(json.dumps(to_dict(kept[name]), separators=(",", ":")) + "\n" for name in sorted(kept))


def _read(folder: Path) -> dict[str, _Listed]:
    path = folder / _FILE
    try:
        found = [from_dict(_Listed, line, path.name) for line in read_json_lines(path)]
    except FileNotFoundError:
        return {}
    except (OSError, UsageError, UnreadableFileError) as error:
        raise UnreadableFileError(
            f"'{folder.name}/{path.name}' is damaged; expected a line of JSON a study: remove it, and call `cinema"
            " population` again with the manifest"
        ) from error
    return {one.study: one for one in found}
