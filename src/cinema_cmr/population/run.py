"""A run over a population: what is new or changed is done, everything else is kept, and the tables are made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.errors import InputError, OutputExistsError
from cinema_cmr.core.run_facts import installed_version
from cinema_cmr.files.lock import folder_lock, waiting_lock
from cinema_cmr.population.listed_facts import keep_facts, take_facts
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import StudyOutcome, archived_outcome
from cinema_cmr.population.outcome_store import OutcomeStore, StoredOutcome
from cinema_cmr.population.result_tables import write_tables
from cinema_cmr.population.status import RunStatus, StatusFile
from cinema_cmr.population.supervisor import Job
from cinema_cmr.population.work import listing_hash

__all__ = [
    "Engine",
    "Plan",
    "RunSettings",
    "check_one_kind",
    "make_tables",
    "merge_populations",
    "plan_run",
    "run_population",
]

_PACKED_AT = 500
Engine = Callable[[Sequence[ListedStudy], Job], Iterator[tuple[ListedStudy, bytes]]]
"""Yields studies with the archives of their outcomes, in any order."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a run is made, none of which changes a number."""

    folder: Path
    engine: str = "local"
    workers: int = 1
    shard: tuple[int, int] = (1, 1)
    overwrite: bool = False
    """Do studies anew that were done with other models, options or versions."""
    retry_failed: bool = False
    listed: frozenset[str] | None = None
    """Names of the whole listing, of which a shard does a part; None where the studies that are given are all."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done."""

    todo: tuple[ListedStudy, ...]
    kept: int
    changed: tuple[str, ...]
    """Studies whose input is not what it was."""


def plan_run(
    studies: Sequence[ListedStudy], outcomes: Mapping[str, StoredOutcome], job: Job, settings: RunSettings
) -> Plan:
    """Compare the studies with the outcomes that there are.

    Raises `OutputExistsError` where any outcome in the folder, of these studies or of others, is of other models,
    options or another version, unless `overwrite` does all of those anew, in this shard or another of the listing.
    """
    check_one_kind(studies, outcomes, frozenset([job.settings]), settings)
    todo, changed = [], []
    for study in studies:
        known = outcomes.get(study.name)
        if known is None or known.settings != job.settings:
            todo.append(study)
        elif known.listing != listing_hash(study):
            changed.append(study.name)
            todo.append(study)
        elif known.status == "failed" and settings.retry_failed:
            todo.append(study)
    return Plan(todo=tuple(todo), kept=len(studies) - len(todo), changed=tuple(changed))


def check_one_kind(
    studies: Sequence[ListedStudy],
    outcomes: Mapping[str, StoredOutcome],
    kinds: Collection[str],
    settings: RunSettings,
) -> None:
    """Raise `OutputExistsError` if the tables of this folder would hold numbers of several models or options.

    `kinds` are the hashes of settings that the outcomes to come may carry.
    """
    other = {one.name for one in outcomes.values() if one.settings not in kinds}
    if other and not settings.overwrite:
        raise OutputExistsError(
            f"'{settings.folder.name}' holds {len(other)} studies that were done with another model, other options or"
            " another version; expected the same for all: choose another folder, or do them anew with --overwrite"
        )
    left = other - (settings.listed or {study.name for study in studies})
    if left:
        raise OutputExistsError(
            f"'{settings.folder.name}' holds {len(left)} studies of another model, other options or another version"
            " that are not among those to be done anew; expected all of them: list them too, or choose another folder"
        )


def run_population(
    studies: Sequence[ListedStudy],
    job: Job,
    engine: Engine,
    settings: RunSettings,
    report: Callable[[StudyOutcome, RunStatus], None],
) -> Plan:
    """Do what is to be done of a shard's studies, and keep each outcome as it comes; return what was planned.

    `report` is called with each outcome and the state of the run. Raises `InputError` while another process works on
    the same shard in this folder, `OutputExistsError` as `plan_run` does.
    """
    shard = f"{settings.shard[0]}-of-{settings.shard[1]}"
    store = OutcomeStore(settings.folder, settings.shard)
    with folder_lock(settings.folder / "status" / f"lock-{shard}"):
        plan = plan_run(studies, store.outcomes(), job, settings)
        keep_facts(settings.folder, studies, settings.shard)
        status = RunStatus(
            shard=shard, engine=settings.engine, workers=settings.workers, total=len(studies), kept=plan.kept
        )
        file = StatusFile(settings.folder, status)
        for number, (study, archive) in enumerate(engine(plan.todo, job) if plan.todo else (), 1):
            store.put(study.name, archive)
            outcome = archived_outcome(archive, study.name)
            file.count(outcome)
            report(outcome, status)
            if number % _PACKED_AT == 0:
                store.pack()
        store.pack()
        file.finish()
    return plan


def make_tables(folder: Path, facts: Mapping[str, object], *, features: bool = False) -> dict[str, object]:
    """Make the tables and run.json of all outcomes in a folder; return the content of run.json.

    Waits for another process that makes them at this moment.
    """
    with waiting_lock(folder):
        content = {**facts, "version": installed_version("cinema-cmr")}
        return write_tables(OutcomeStore(folder), content, features=features)


def merge_populations(sources: Sequence[Path], folder: Path) -> int:
    """Take the outcomes and facts of other folders into one, of several of a study the latest; return how many.

    Raises `InputError` for a folder without outcomes, if their models or options differ, and while another process
    works on the whole of this population.
    """
    ours = OutcomeStore(folder)
    with folder_lock(folder / "status" / "lock-1-of-1"):  # whose files this writes
        known = ours.outcomes()
        found = {source: OutcomeStore(source).outcomes() for source in sources}
        for source, outcomes in found.items():
            if not outcomes:
                raise InputError(f"'{source.name}' has no outcomes; expected a folder of `cinema population`")
        kinds = {one.settings for outcomes in (known, *found.values()) for one in outcomes.values()}
        if len(kinds) > 1:
            raise InputError(
                f"these folders were made with {len(kinds)} different models, options or versions; expected one:"
                " numbers of several do not belong into one table"
            )
        taken = 0
        for source, outcomes in found.items():
            new = [one for name, one in outcomes.items() if name not in known or _is_later(one, known[name])]
            ours.take(new, source)
            known |= {one.name: one for one in new}
            taken += len(new)
        take_facts(folder, sources)
        ours.pack()
    return taken


def _is_later(one: StoredOutcome, other: StoredOutcome) -> bool:
    return one.finished_ms > other.finished_ms
