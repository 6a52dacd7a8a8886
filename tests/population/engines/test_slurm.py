"""An array of jobs by submitit's executors of this machine: every shard is done, and none twice."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from stub_works import job, studies

from cinema_cmr.core.errors import InternalError, OutputExistsError, UsageError
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.population.engines.choose import EngineRequest
from cinema_cmr.population.engines.slurm import SlurmPart, SlurmShard, check_submitit, run_on_slurm, work_on_slurm
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import archived_outcome
from cinema_cmr.population.outcome_store import OutcomeStore
from cinema_cmr.population.run import RunSettings, make_tables, run_population
from cinema_cmr.population.supervisor import Job
from cinema_cmr.population.work import WorkOptions


@pytest.fixture(autouse=True)
def _jobs_find_the_stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


@pytest.mark.slow
def test_each_shard_of_the_array_is_done_once(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    listed = studies("good-1", "good-2", "broken-3")
    notes: list[str] = []
    run_on_slurm(listed, job(), RunSettings(folder=tmp_path), jobs=2, slurm=["cluster=local"], note=notes.append)
    assert notes[0].startswith("2 jobs submitted")
    assert list(OutcomeStore(tmp_path).outcomes()) == ["broken-3", "good-1", "good-2"]
    assert (make_tables(tmp_path, {})["done"], len(list((tmp_path / "studies").iterdir()))) == (2, 2)
    before = {one.name: one.finished_ms for one in OutcomeStore(tmp_path).outcomes().values()}
    run_on_slurm(listed, job(), RunSettings(folder=tmp_path), jobs=2, slurm=["cluster=local"])
    assert {one.name: one.finished_ms for one in OutcomeStore(tmp_path).outcomes().values()} == before


@pytest.mark.slow
def test_outcomes_of_an_array_come_back_to_the_call(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    listed = studies("good-1", "good-2", "broken-3")
    notes: list[str] = []
    array = {"jobs": 2, "workers": 1, "logs": tmp_path / "logs", "slurm": ["cluster=local"]}
    found = work_on_slurm(listed, job(), note=notes.append, **array)  # type: ignore[arg-type]
    causes = {study.name: archived_outcome(archive, study.name).cause for study, archive in found}
    assert causes == {"good-1": None, "good-2": None, "broken-3": "input"} and notes[0].startswith("2 jobs submitted")
    with pytest.raises(InternalError, match="call again"):
        list(work_on_slurm(listed, job(error="no model"), **array))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_job_that_fails_is_an_error_with_its_log(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(InternalError, match="call again"):
        run_on_slurm(
            studies("good-1"), job(error="no model"), RunSettings(folder=tmp_path), jobs=1, slurm=["cluster=local"]
        )


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_would_mix_models_is_refused_before_jobs_are_submitted(tmp_path: Path, overwrite: bool) -> None:
    pytest.importorskip("submitit")
    settings, engine = RunSettings(folder=tmp_path, overwrite=overwrite), FakeEngine()
    run_population(studies("good-1", "good-2"), job("old"), engine, settings, lambda outcome, status: None)
    work = WorkOptions(options=Options.of(landmarks=None, disease=None))
    submitted = EngineRequest(engine="slurm", workers=1).job(work)
    for given in (job("new"), submitted):
        with pytest.raises(OutputExistsError, match="holds 1 studies of" if overwrite else "holds 2 studies that"):
            run_on_slurm(studies("good-2", "good-3"), given, settings, jobs=2, slurm=["cluster=debug"])
    assert not (tmp_path / "slurm").exists()


def test_what_an_auto_may_mean_on_a_node_is_let_through(tmp_path: Path) -> None:
    work = WorkOptions(options=Options.of(landmarks=None, disease=None))
    submitted = EngineRequest(engine="slurm", workers=1).job(work)
    assert len(submitted.possible_settings()) == 4 and submitted.on_this_machine().settings in (
        submitted.possible_settings()
    )
    fixed = WorkOptions(options=Options.of(landmarks=None, disease=None, device="cuda", precision="fp16"))
    assert fixed.possible_settings() == {fixed.settings()}, "of a device that this machine lacks"


def test_the_script_asks_for_the_cores_and_the_memory_of_its_workers() -> None:
    from cinema_cmr.population.engines.slurm import _resources

    requested = _resources(job(), 8, 16)
    assert (requested["cpus_per_task"], requested["mem_gb"], requested["slurm_array_parallelism"]) == (8, 17, 16)


def test_a_shard_takes_device_and_gpus_of_its_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, given = Runtime(device="cuda", precision="bf16"), []
    monkeypatch.setattr("cinema_cmr.inference.runtime.choose_runtime", lambda *_: gpu)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    engine = FakeEngine()

    def work(listed: Sequence[ListedStudy], job: Job, **options: int) -> Iterator[tuple[ListedStudy, bytes]]:
        given.append((job.device, job.settings != "", options))
        return engine(listed, job)

    monkeypatch.setattr("cinema_cmr.population.engines.slurm.work_locally", work)
    submitted = EngineRequest(engine="slurm", workers=6).job(
        WorkOptions(options=Options.of(landmarks=None, disease=None))
    )
    assert SlurmShard(studies("good-1"), submitted, RunSettings(folder=tmp_path, workers=6))() == 1
    assert given == [("cuda", True, {"workers": 6, "gpus": 3})]
    SlurmShard(studies("good-2"), job("s"), RunSettings(folder=tmp_path / "cpu", workers=2))()
    assert given[1:] == [("cpu", True, {"workers": 2, "gpus": 0})]


def test_a_preempted_shard_is_submitted_again(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    shard = SlurmShard(studies("good-1"), job(), RunSettings(folder=tmp_path))
    assert shard.checkpoint().function is shard
    part = SlurmPart(studies("good-1"), job(), 1)
    assert part.checkpoint().function is part


def test_settings_have_a_name_and_a_value(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(UsageError, match="NAME=VALUE"):
        run_on_slurm(studies("good-1"), job(), RunSettings(folder=tmp_path), jobs=1, slurm=["partition"])


def test_without_submitit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.engines.slurm.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"cinema-cmr\[slurm\]"):
        check_submitit()
