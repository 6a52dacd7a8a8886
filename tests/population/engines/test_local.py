"""The local engine: every study once, whatever the workers do; an error of the run ends it."""

from __future__ import annotations

import pytest
from stub_works import job, studies

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.population.engines.local import default_memory_mb, default_workers, work_locally
from cinema_cmr.population.outcome import archived_outcome


@pytest.mark.slow
def test_two_workers_do_each_study_once_and_one_dies_alone() -> None:
    names = [f"good-{n}" for n in range(6)] + ["kill-1", "broken-1"]
    found = {}
    for study, archive in work_locally(studies(*names), job(), workers=2):
        assert study.name not in found
        found[study.name] = archived_outcome(archive, study.name).cause
    assert found == {**dict.fromkeys(names[:6]), "kill-1": "killed", "broken-1": "input"}


@pytest.mark.medium
def test_a_model_that_does_not_load_ends_the_run() -> None:
    with pytest.raises(WeightsError):
        list(work_locally(studies("good-1", "good-2"), job(error="none"), workers=1))


@pytest.mark.medium
def test_leaving_early_ends_the_workers() -> None:
    results = work_locally(studies("good-1", "good-2", "hang-3"), job(), workers=1)
    study, _ = next(results)
    assert study.name == "good-1"
    results.close()


def test_workers_fit_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.engines.local.usable_cores", lambda: 16)
    monkeypatch.setattr("cinema_cmr.population.engines.local.free_memory_bytes", lambda: 64 << 30)
    assert (default_workers(1), default_workers(4), default_workers(1, gpus=2)) == (16, 4, 8)
    assert default_memory_mb(16) == int(0.9 * 65536) // 16
    monkeypatch.setattr("cinema_cmr.population.engines.local.free_memory_bytes", lambda: 4 << 30)
    assert default_workers(1) == 2 and default_memory_mb(2) == 2048
