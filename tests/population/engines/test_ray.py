"""Ray does what the local engine does: each study once, whatever dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.population.engines.ray import _connect, check_ray, supervised
from cinema_cmr.population.outcome import archived_outcome

_RUN = """
from stub_works import job, studies
from cinema_cmr.population.engines.ray import work_on_ray
from cinema_cmr.population.outcome import archived_outcome
if __name__ == "__main__":
    listed = studies("good-1", "good-2", "kill-1", "broken-1")
    for study, archive in work_on_ray(listed, job(), address=None, workers=2):
        print(study.name, archived_outcome(archive, study.name).cause)
"""


@pytest.mark.slow
def test_a_local_cluster_does_each_study_once(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    script = tmp_path / "run.py"
    script.write_text(f"import sys\nsys.path[:0] = {sys.path!r}\n{_RUN}")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=500)
    lines = sorted(line for line in done.stdout.splitlines() if "-" in line)
    assert lines == ["broken-1 input", "good-1 None", "good-2 None", "kill-1 killed"]


@pytest.mark.medium
def test_a_task_keeps_its_supervisor_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    from stub_works import job, studies

    kept: dict[str, object] = {}
    monkeypatch.setattr("cinema_cmr.population.engines.ray._SUPERVISORS", kept)
    for study in studies("good-1", "good-2"):
        assert archived_outcome(supervised(study, job()), study.name).cause is None
    (supervisor,) = kept.values()
    supervisor.close()  # type: ignore[attr-defined]


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.population.engines.ray.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"cinema-cmr\[ray\]"):
        check_ray()


def test_a_cluster_that_takes_no_caller_without_its_token_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray 2.60 shares a token within a cluster; its error is none of Python's own kinds."""

    class RayError(Exception):
        pass

    def refuse(**options: object) -> None:
        raise RayError("InvalidAuthToken")

    fake = SimpleNamespace(init=refuse, exceptions=SimpleNamespace(RayError=RayError))
    monkeypatch.setitem(sys.modules, "ray", fake)
    with pytest.raises(InputError, match="RAY_AUTH_TOKEN"):
        _connect("10.0.0.1:6379", 2, 0)
