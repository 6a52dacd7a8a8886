"""Preparing studies for training as the work of an engine: the same code on one machine, on Ray and on SLURM."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cinema_cmr.core.study import Facts
from cinema_cmr.data.population import PreparedCase, Source, StoreSources, store_source
from cinema_cmr.population.engines.choose import EngineRequest, choose_engine
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import archived_members, archived_outcome
from cinema_cmr.population.work import StudyParts, Work

__all__ = ["PrepareWork", "prepared_by", "store_on_engine"]

_STATUS = "status.json"


@dataclass(frozen=True, kw_only=True)
class _ListedSource(ListedStudy):
    """A study with the way to read it."""

    source: Source


@dataclass(frozen=True, kw_only=True)
class PrepareWork:
    """Stores each study in a folder that all workers reach by the same path; calling it makes the work."""

    folder: Path
    overwrite: bool = False

    def __call__(self) -> Work:
        """Return the work; there is nothing to load."""
        return self._store

    def _store(self, study: ListedStudy) -> StudyParts:
        assert isinstance(study, _ListedSource)
        case = store_source(study.source, self.folder, overwrite=self.overwrite)
        return StudyParts(members={_STATUS: json.dumps(case.status).encode()})


def store_on_engine(request: EngineRequest, note: Callable[[str], None] = lambda text: None) -> StoreSources:
    """Return a way to store sources by the workers of an engine, for `prepare_population`.

    A study that kills its worker, or takes more memory or time than the request allows, fails alone, after a second
    attempt. The sources and the folder need the same path on every machine.
    """

    def store(sources: Sequence[Source], folder: Path, overwrite: bool) -> Iterator[PreparedCase]:
        folder = Path(os.path.abspath(folder))
        engine = choose_engine(request, logs=folder / "slurm", note=note)
        job = replace(request.job(PrepareWork(folder=folder, overwrite=overwrite)), settings="prepare")
        for study, archive in engine([_listed(source) for source in sources], job) if sources else ():
            yield prepared_by(study.name, archive)

    return store


def prepared_by(name: str, archive: bytes) -> PreparedCase:
    """Return the outcome of a study from the archive that an engine yields."""
    outcome = archived_outcome(archive, name)
    if outcome.cause is not None:
        return PreparedCase(name=name, status="failed", error=outcome.reason, exit_code=outcome.exit_code)
    return PreparedCase(name=name, status=json.loads(archived_members(archive, name)[_STATUS]))


def _listed(source: Source) -> _ListedSource:
    facts: Facts = {name: value for name, value in vars(source.subject).items() if value is not None}
    return _ListedSource(name=source.name, path=source.paths[0], facts=facts, source=source)
