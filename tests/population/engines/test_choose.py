"""What a request becomes: an engine, a number of workers, their limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.population.engines import choose
from cinema_cmr.population.engines.choose import EngineRequest, choose_engine, count_gpus
from cinema_cmr.population.work import WorkOptions


def test_limits_are_those_of_the_request() -> None:
    request = EngineRequest(workers=3, threads=2, memory_gb=1.5, seconds=60)
    job = request.job(WorkOptions(options=Options()))
    assert (job.limits.memory_mb, job.limits.threads, job.limits.seconds) == (1536, 2, 60)
    assert request.n_workers == 3 and EngineRequest().n_workers >= 1
    with pytest.raises(WeightsError):
        request.job(WorkOptions(options=Options.of(model="no-such-model")))


def test_settings_are_those_of_the_machine_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    work = WorkOptions(options=Options.of(landmarks=None, disease=None))
    here = EngineRequest(workers=1, memory_gb=2.0).job(work)
    assert here.settings == work.settings() and here.make.options.inference.device != "auto"  # type: ignore[attr-defined]
    assert EngineRequest(workers=1, memory_gb=2.0, engine="ray", address="head:1").job(work) == here, (
        "as docs/population.md says"
    )
    submitted = EngineRequest(workers=1, engine="slurm").job(work)
    assert submitted.settings == "" and submitted.make == work
    gpu = Runtime(device="cuda", precision="bf16")
    monkeypatch.setattr("cinema_cmr.inference.runtime.choose_runtime", lambda *_: gpu)
    on_node = submitted.on_this_machine()
    assert on_node.make.options.inference.device == "cuda"  # type: ignore[attr-defined]
    assert on_node.settings not in ("", here.settings)
    with pytest.raises(WeightsError):
        EngineRequest(engine="slurm").job(WorkOptions(options=Options.of(model="no-such-model")))


def test_an_engine_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_engine(EngineRequest(workers=2)).keywords == {"workers": 2, "gpus": 0}  # type: ignore[attr-defined]
    monkeypatch.setattr("cinema_cmr.population.engines.ray.check_ray", lambda: None)
    made = choose_engine(EngineRequest(engine="ray", workers=2, address="auto"))
    assert made.keywords == {"address": "auto", "workers": 2, "gpus": 0}  # type: ignore[attr-defined]
    made = choose_engine(EngineRequest(engine="slurm", workers=2, jobs=3), logs=Path("logs"))
    assert {name: made.keywords[name] for name in ("workers", "jobs", "logs")} == {  # type: ignore[attr-defined]
        "workers": 2,
        "jobs": 3,
        "logs": Path("logs"),
    }
    assert count_gpus("cpu") == 0 and count_gpus("auto") >= 0 and choose.count_gpus("mps") == 0


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"threads": 0}, {"jobs": -1}, {"memory_gb": 0.0}, {"seconds": 0.0}])
def test_nothing_is_not_a_number_of_workers(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="more than 0"):
        EngineRequest(**wrong)  # type: ignore[arg-type]
