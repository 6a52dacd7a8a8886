"""Views of a study are chosen before its analysis: the series as recognised, the decisions as `cinema views` writes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from interop_hearts import analysed, long_axis_cine, stack_cine, write_study
from serving import client_of, finished_results

from cinema_cmr.core.errors import InputError, UnknownNameError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.atomic import write_json
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.read import read_study
from cinema_cmr.io.views_file import read_views_file
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.serve.job_series import VIEWS_FILE, read_series, write_views
from cinema_cmr.serve.messages import ChosenSeries
from cinema_cmr.serve.worker import analyse_job


def until_status(client: TestClient, key: str, status: str) -> dict[str, object]:
    for _ in range(400):
        job = client.get(f"/api/jobs/{key}").json()
        if job["status"] == status:
            return dict(job)
        time.sleep(0.05)
    raise AssertionError(job)


@pytest.mark.medium
def test_a_study_waits_for_its_views_and_keeps_them_over_a_restart(tmp_path: Path) -> None:
    finished_results(tmp_path / "home", name="template")
    with client_of(tmp_path / "home") as client:
        key = client.post("/api/jobs", json={"name": "heart"}).json()["id"]
        client.put(f"/api/jobs/{key}/files/a.dcm", content=b"x")
        assert client.get(f"/api/jobs/{key}/series").status_code == 422
        assert client.put(f"/api/jobs/{key}/views", json={"series": []}).status_code == 409
        client.post(f"/api/jobs/{key}/submit", json={"choose_views": True})
        until_status(client, key, "choosing")
    with client_of(tmp_path / "home") as client:
        until_status(client, key, "choosing")
        rows = client.get(f"/api/jobs/{key}/series").json()
        assert [row["series"] for row in rows] == ["3", "5"]
        for bad in (
            [{"series": "9", "use": True}],
            [{"series": "3", "use": False}],
            [{"series": "3", "use": 1, "a": 2}],
        ):
            assert client.put(f"/api/jobs/{key}/views", json={"series": bad}).status_code in (404, 422)
        chosen = [{"series": "5", "view": "lax_4c", "use": True}, {"series": "3", "view": "sax", "use": True}]
        assert client.put(f"/api/jobs/{key}/views", json={"series": chosen}).json()["status"] == "queued"
        until_status(client, key, "done")
    ((series, choice),) = read_views_file(tmp_path / "home/studies" / key / VIEWS_FILE)
    assert (series, choice.view, choice.use) == ("5", View.LAX_4C, True)  # what is as recognised is no decision


@pytest.mark.medium
def test_the_worker_reads_the_series_and_takes_the_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 4-chamber view that is not wanted: the study is read without it."""
    write_study(tmp_path / "input/study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    write_json(tmp_path / "job.json", {"name": "heart", "choose_views": True})
    analyse_job(tmp_path)
    rows = read_series(tmp_path)
    assert {row.view for row in rows if row.use} == {View.SAX, View.LAX_4C} and not (tmp_path / "results").exists()
    unwanted = next(row for row in rows if row.view == View.LAX_4C)
    with pytest.raises(UnknownNameError):
        write_views(tmp_path, [ChosenSeries(series="nothing", use=True)])
    with pytest.raises(InputError, match="no series is used"):
        write_views(tmp_path, [ChosenSeries(series=row.series, use=False) for row in rows])
    write_views(tmp_path, [ChosenSeries(series=unwanted.series, use=False)])
    (tmp_path / "job.json").write_text(json.dumps({"name": "heart", "choose_views": False}))
    seen = []

    def analyse(analyzer: Analyzer, source: Path, **_: object) -> object:
        seen.append(analyzer.options.series.choices())
        return analysed(source)

    monkeypatch.setattr(Analyzer, "analyse", analyse)
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    analyse_job(tmp_path)
    (choices,) = seen
    study = read_study(tmp_path / "input/study", choices=choices)
    assert [cine.view for cine in study.cines] == [View.SAX]
