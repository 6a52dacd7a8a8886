"""Many studies to tables, on all cores or many machines, and the tables of finished runs read and merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cinema_cmr.core.errors import InputError, UsageError, unknown_name
from cinema_cmr.files.text import read_json
from cinema_cmr.io.output_folder import check_writable
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.pipeline.analysis_options import ExtraModels, InferenceOptions, Options
from cinema_cmr.population.engines.choose import EngineRequest, choose_engine, count_gpus
from cinema_cmr.population.engines.slurm import check_submitit, run_on_slurm
from cinema_cmr.population.listed_studies import ListedStudy, list_studies, parse_shard, shard_of
from cinema_cmr.population.outcome import StudyOutcome
from cinema_cmr.population.outcome_store import OutcomeStore, StoredOutcome
from cinema_cmr.population.result_tables import Tables, build_tables
from cinema_cmr.population.run import RunSettings, make_tables, run_population
from cinema_cmr.population.run import merge_populations as take_outcomes
from cinema_cmr.population.status import RunStatus, keep_shards, read_statuses, unfinished_shards
from cinema_cmr.population.supervisor import Job
from cinema_cmr.population.work import Reports, WorkOptions
from cinema_cmr.report.wide.columns import Columns
from cinema_cmr.report.wording import counted

__all__ = [
    "PopulationResult",
    "analyse_population",
    "merge_populations",
    "read_population",
]

_OPTIONS = {
    "single_frame",
    *(each.name for kind in (InferenceOptions, ExtraModels, MeasureOptions) for each in fields(kind)),
}


@dataclass(frozen=True, kw_only=True)
class PopulationResult:
    """A population in its folder: how many studies have numbers, and tables that are read when they are wanted."""

    folder: Path
    run: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Content of run.json; empty for a shard, whose tables are made by `merge_populations`."""
    changed: tuple[str, ...] = ()
    """Studies that were done anew because their input had changed."""
    taken: int = 0
    """Outcomes that `merge_populations` took from other folders."""
    unfinished: tuple[str, ...] = ()
    """A line for each shard that the tables of `merge_populations` lack, or have in part."""

    @cached_property
    def outcomes(self) -> Mapping[str, StoredOutcome]:
        """Study -> its outcome on disk: status, settings, place."""
        return OutcomeStore(self.folder).outcomes()

    @property
    def done(self) -> int:
        """Number of studies with numbers."""
        return sum(one.status == "done" for one in self.outcomes.values())

    @property
    def failed(self) -> int:
        """Number of studies without numbers; `failures` has their reasons."""
        return len(self.outcomes) - self.done

    @cached_property
    def tables(self) -> Tables:
        """All tables; raises `InputError` for outcomes of several models, options or versions."""
        features = any((self.folder / f"features.{suffix}").exists() for suffix in ("parquet", "csv"))
        return build_tables(OutcomeStore(self.folder), features=features)

    @property
    def measurements(self) -> Columns:
        """A row a study with numbers: subject, measurements, confidence, `fact_COLUMN` of the manifest."""
        return self.tables.measurements

    @property
    def failures(self) -> Columns:
        """A row a study without numbers: cause, reason, attempts."""
        return self.tables.failures

    @property
    def codebook(self) -> Columns:
        """A row a column of `measurements`: unit, meaning, method, rule, number of values."""
        return self.tables.codebook.table(self.tables.measurements)

    @property
    def statuses(self) -> list[RunStatus]:
        """How the run, or each shard of it, goes: counts, studies an hour, time left, causes of failures, memory."""
        return read_statuses(self.folder)

    def __repr__(self) -> str:
        return f"PopulationResult('{self.folder.name}': {self.done} done, {self.failed} failed)"

    def _repr_html_(self) -> str:
        failures = self.failures._repr_html_() if self.failed else ""
        return (
            f"<p>{counted(self.done, 'study')} with numbers, {self.failed} without</p>"
            f"{self.measurements._repr_html_()}{failures}"
        )


def analyse_population(
    inputs: Sequence[Path | str] | Path | str,
    folder: Path | str,
    *,
    manifest: Path | str | None = None,
    engine: Literal["local", "ray", "slurm"] | EngineRequest = "local",
    workers: int | None = None,
    shard: str | None = None,
    reports: Reports = "none",
    features: str | None = None,
    masks: bool = True,
    retry_failed: bool = False,
    overwrite: bool = False,
    report: Callable[[StudyOutcome, RunStatus], None] | None = None,
    note: Callable[[str], None] | None = None,
    **options: Any,
) -> PopulationResult:
    """Analyse many studies into one folder and return their tables; studies that are there already are kept.

    `inputs`: paths, () where a `manifest` (CSV, Parquet) lists the studies, with facts of each. `engine` "ray" and
    "slurm" work on many machines; an `EngineRequest` states threads, memory and time as well. `workers`: processes, by
    default one a core. `shard`: "3/16" does every 16th study, from the third; then `merge_populations`. `reports`:
    pages to keep, "none", "flagged" or "all"; `features`: an autoencoder whose features are kept; `masks`: keep them.
    `options`: those of a model and of measurement, e.g. `model`, `tta`, `basal_rule`, `single_frame`.

    A study that fails is a row of `.failures` and does not stop the others; `retry_failed` tries those again,
    `overwrite` does anew what was done with other models or options. `report` receives each outcome and the state of
    the run. Workers are spawned: a script needs `if __name__ == "__main__":`. Raises `UsageError` and its kinds for
    options that do not exist, `OutputExistsError` for a folder of other models or options, `InputError` while another
    process works in it.
    """
    folder = Path(folder)
    check_writable(folder)
    work = WorkOptions(options=_options(options), reports=reports, features=features, masks=masks)
    request = _request(engine, workers, device=work.device)
    part = parse_shard(shard)
    if part != (1, 1) and request.engine == "slurm":
        raise UsageError("a shard with the engine slurm, which makes its own shards; expected one of them")
    studies = list_studies(list(map(Path, _several(inputs))), None if manifest is None else Path(manifest))
    settings = RunSettings(
        folder=folder,
        engine=request.engine,
        workers=request.n_workers,
        shard=part,
        overwrite=overwrite,
        retry_failed=retry_failed,
        listed=frozenset(study.name for study in studies),
    )
    changed = _run(shard_of(studies, part), request.job(work), request, settings, report=report, note=note)
    if part != (1, 1):
        return PopulationResult(folder=folder, changed=changed)
    facts = {"engine": request.engine, "workers": settings.workers, "threads": request.threads}
    content = make_tables(folder, facts, features=features is not None)
    return PopulationResult(folder=folder, run=content, changed=changed)


def read_population(folder: Path | str) -> PopulationResult:
    """Return the population in a folder, also of a run that is under way; raises `InputError` where there is none."""
    folder = Path(folder)
    if not any((folder / part).is_dir() for part in ("studies", "pending", "status")):
        raise InputError(f"'{folder.name}' holds no population; expected a folder that `cinema population` writes to")
    content = read_json(folder / "run.json") if (folder / "run.json").exists() else {}
    return PopulationResult(folder=folder, run=content if isinstance(content, dict) else {})


def merge_populations(sources: Sequence[Path | str], folder: Path | str) -> PopulationResult:
    """Take the studies of other populations, such as shards, into one folder, and make its tables anew.

    Of a study in several folders the latest counts; without `sources` only the tables are made. Raises `InputError` for
    a folder without studies, where models or options differ, and while another process works in `folder`. What is not
    there yet of the shards is in `unfinished`.
    """
    folder = Path(folder)
    check_writable(folder)
    unfinished = unfinished_shards([folder, *map(Path, sources)])
    taken = take_outcomes(list(map(Path, sources)), folder) if sources else 0
    keep_shards(map(Path, sources), folder)
    content = make_tables(folder, {"command": "merge", "unfinished_shards": unfinished}, features=True)
    return PopulationResult(folder=folder, run=content, taken=taken, unfinished=tuple(unfinished))


def _run(
    studies: Sequence[ListedStudy],
    job: Job,
    request: EngineRequest,
    settings: RunSettings,
    *,
    report: Callable[[StudyOutcome, RunStatus], None] | None,
    note: Callable[[str], None] | None,
) -> tuple[str, ...]:
    """Do the studies on their engine; return those whose input had changed."""
    if request.engine == "slurm":
        run_on_slurm(studies, job, settings, jobs=request.jobs, slurm=request.slurm, note=note or (lambda text: None))
        return ()
    plan = run_population(studies, job, choose_engine(request), settings, report or (lambda outcome, status: None))
    return plan.changed


def _request(
    engine: Literal["local", "ray", "slurm"] | EngineRequest, workers: int | None, *, device: str
) -> EngineRequest:
    if isinstance(engine, EngineRequest):
        if workers is not None:
            raise UsageError("workers beside an EngineRequest; expected one of them: state them in the request")
        return engine
    if engine not in ("local", "ray", "slurm"):
        raise unknown_name("engine", str(engine), ("local", "ray", "slurm"))
    if engine == "slurm":
        check_submitit()
    return EngineRequest(engine=engine, workers=workers, gpus=count_gpus(device))


def _options(values: Mapping[str, object]) -> Options:
    """Return the options of all studies; raises `UsageError` for one that is of one person or one series alone."""
    for name in values:
        if name not in _OPTIONS:
            raise unknown_name("option of a population", name, _OPTIONS)
    return Options.of(**values)


def _several(inputs: Sequence[Path | str] | Path | str) -> Sequence[Path | str]:
    return [inputs] if isinstance(inputs, Path | str) else inputs
