"""The studies of a population: paths, identifiers and facts, from the command line or from one table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Facts, Subject
from cinema_cmr.io.manifest import ManifestRow, listed_studies, study_names

__all__ = ["ListedStudy", "list_studies", "parse_shard", "shard_of"]

_SUBJECT = {field.name for field in fields(Subject)}


@dataclass(frozen=True, kw_only=True)
class ListedStudy:
    """One study of a manifest."""

    name: str
    """Unique in the population; the column `id` or `name`, else from the path."""
    path: Path
    facts: Facts = field(default_factory=dict)
    """Column -> value. Those named as the fields of `Subject` are used in measurements."""
    ed_frame: int | None = None
    es_frame: int | None = None

    @property
    def subject(self) -> Subject:
        """The facts that measurements use."""
        return Subject(**{name: value for name, value in self.facts.items() if name in _SUBJECT})  # type: ignore[arg-type]


def list_studies(inputs: Sequence[Path], manifest: Path | None = None) -> list[ListedStudy]:
    """Return the studies of a command line and of a manifest, each name once.

    Raises as `io.manifest.listed_studies` and `study_names`.
    """
    rows = listed_studies(inputs, manifest).rows
    return [_listed(name, row) for name, row in zip(study_names(rows), rows, strict=True)]


def parse_shard(text: str | None) -> tuple[int, int]:
    """Return number (from 1) and count of a shard written "i/n"; 1/1 for None.

    >>> parse_shard("3/16"), parse_shard(None)
    ((3, 16), (1, 1))
    """
    if text is None:
        return 1, 1
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"shard '{text}'; expected i/n with i from 1 to n, e.g. 3/16")
    return int(number), int(count)


def shard_of(studies: Sequence[ListedStudy], shard: tuple[int, int]) -> list[ListedStudy]:
    """Return every n-th study, from the i-th: neighbours in a manifest, often of like size, go to different shards."""
    return list(studies[shard[0] - 1 :: shard[1]])


def _listed(name: str, row: ManifestRow) -> ListedStudy:
    """Return a row as a study; its path is absolute, since a worker may have another working folder."""
    subject = {fact: value for fact, value in vars(row.subject).items() if value is not None}
    return ListedStudy(
        name=name,
        path=Path(os.path.abspath(row.path)),
        facts={**subject, **row.facts},
        ed_frame=row.ed_frame,
        es_frame=row.es_frame,
    )
