"""Landmarks that are dragged in the viewer: stored, measured at once and in the results, taken back, taken over."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from interop_hearts import hinge
from serving import client_of

from cinema_cmr.core.edits import MovedPoint
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.vocabulary import View
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.record.review import read_review
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.report.write import write_results
from cinema_cmr.serve.document import numbers_of, study_document
from cinema_cmr.serve.library import Library, study_key
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.opened_study import OpenedStudy
from cinema_cmr.serve.study_store import StudyStore

pytestmark = pytest.mark.medium

ES = 4


@pytest.fixture(autouse=True)
def _no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))


def shown(study: OpenedStudy, position: tuple[float, float, float]) -> list[float]:
    """The place of a point (RAS mm) in the picture of the 4-chamber view."""
    x, y, _ = apply_affine(np.linalg.inv(study.view("lax_4c").cine.affine), np.array(position))
    return [float(x), float(y)]


def change(store: StudyStore, key: str, place: tuple[float, float, float] | None) -> None:
    def act(study: OpenedStudy) -> None:
        at = None if place is None else shown(study, place)
        point = {"view": "lax_4c", "name": "mitral_septal", "frame": ES, "place": at}
        store.change(study, Changes.model_validate({"points": [point], "what": "moved"}))

    store.use(key, act)


def mapse(study: OpenedStudy, *, quick: bool = False) -> float:
    value = numbers_of(study, quick=quick).values["mapse_septal_mm"]
    assert value is not None
    return value


def test_mapse_follows_a_dragged_point_and_the_results_agree(marked: Path) -> None:
    store, key = StudyStore(Library([marked])), study_key(marked)
    assert store.use(key, mapse) == pytest.approx(12, abs=0.01)
    change(store, key, hinge(-1, 15))
    assert store.use(key, lambda study: mapse(study, quick=True)) == pytest.approx(15, abs=0.1)
    assert store.use(key, mapse) == pytest.approx(15, abs=0.1)
    store.use(key, lambda study: store.sign_off(study, signed=True))
    record = read_measurements(marked / "measurements.json")
    values = {one.name: one.value for one in record.measurements}
    assert values["mapse_septal_mm"] == pytest.approx(15, abs=0.1)
    assert record.edits is not None and [one.frame for one in record.edits.points] == [ES]
    again = StudyStore(Library([marked]))
    document = again.use(key, lambda study: study_document(study, key))
    moved, own = (document[name]["lax_4c"]["mitral_septal"] for name in ("points", "own_points"))  # type: ignore[index, call-overload]
    assert moved[ES] != pytest.approx(own[ES], abs=0.1) and moved[0] == own[0]
    numbers = again.use(key, numbers_of)
    assert numbers.moved == [("lax_4c", "mitral_septal", ES)] and numbers.state == "signed off"
    assert again.use(key, lambda study: study.is_in_results)


def test_a_point_taken_back_stays_the_models(marked: Path) -> None:
    """After the results were written with it, and after a restart."""
    store, key = StudyStore(Library([marked])), study_key(marked)
    change(store, key, hinge(-1, 15))
    store.use(key, store.write_results)
    change(store, key, None)
    again = StudyStore(Library([marked]))
    assert again.use(key, mapse) == pytest.approx(12, abs=0.01)
    assert not read_review(marked).points
    again.use(key, again.write_results)
    record = read_measurements(marked / "measurements.json")
    assert record.edits is not None and not record.edits.is_corrected


def test_points_moved_elsewhere_are_taken_over_once(marked: Path) -> None:
    store, key = StudyStore(Library([marked])), study_key(marked)
    point = MovedPoint(view=View.LAX_4C, name="mitral_septal", frame=ES, position_ras_mm=hinge(-1, 14))
    later = datetime.now(UTC) + timedelta(minutes=1)
    write_results(remeasure(marked, Corrections(points=(point,)), now=later), marked, overwrite=True)
    store.use(key, store.look_at)
    assert [one.in_results for one in read_review(marked).points] == [True]
    assert store.use(key, mapse) == pytest.approx(14, abs=0.1) and store.library.listed()[0].state == "corrected"
    change(store, key, None)
    assert StudyStore(Library([marked])).use(key, mapse) == pytest.approx(12, abs=0.01)


def test_points_that_cannot_be_are_refused_whole(marked: Path, tmp_path: Path) -> None:
    with client_of(tmp_path / "home", marked) as client:
        study = f"/api/studies/{study_key(marked)}"
        good = {"view": "lax_4c", "name": "apex", "frame": 0, "place": [10, 12]}
        bad = ({"frame": 99}, {"name": "mitral_anterior"}, {"view": "sax"}, {"place": [1e9, 0]}, {"place": [1]})
        for one in bad:
            answer = client.post(f"{study}/changes", json={"points": [good, {**good, **one}]})
            assert answer.status_code in (404, 422), answer.text
        assert client.get(f"{study}/numbers").json()["moved"] == []
        (row,) = csv.DictReader(io.StringIO(client.get("/api/studies.csv").text))
        assert float(row["mapse_septal_mm"]) == pytest.approx(12, abs=0.01)
