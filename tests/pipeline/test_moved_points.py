"""Landmarks that a reader moves: measured, kept beside the model's own, and taken back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from corrected_results import heart_analysis
from interop_hearts import found_points, hinge

from cinema_cmr.core.edits import MovedPoint
from cinema_cmr.core.errors import InputError, UnknownNameError, UsageError
from cinema_cmr.core.results import LandmarkPrediction
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.pipeline.compare_results import compare_with_model
from cinema_cmr.pipeline.moved_points import move_points, parse_point
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.corrections import correction_lines
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.report.write import write_results

ED, ES = 0, 4


def written(folder: Path, found: LandmarkPrediction, **options: object) -> Path:
    """Results of the heart with these landmarks."""
    analysis = heart_analysis(**options)
    landmarks = {View.LAX_4C: found}
    rules = MeasureOptions(**options)  # type: ignore[arg-type]
    kept = plausible_by_view(landmarks)[0]
    measured = measure_study(analysis.study, analysis.predictions, options=rules, landmarks=kept)
    write_results(replace(analysis, landmarks=landmarks, measurements=measured), folder)
    return folder


@pytest.fixture(autouse=True)
def _no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return written(tmp_path / "results", found_points())


def septal(frame: int, position: tuple[float, float, float] | None) -> MovedPoint:
    return MovedPoint(view=View.LAX_4C, name="mitral_septal", frame=frame, position_ras_mm=position)


def test_mapse_follows_a_moved_hinge_and_the_models_point_is_kept(results: Path) -> None:
    """The septal hinge at ES is 4 mm nearer to the apex: 16 mm in place of 12, and 14 in the mean."""
    before = read_measurements(results / "measurements.json")
    assert {one.name: one.value for one in before.measurements}["mapse_septal_mm"] == pytest.approx(12, abs=0.01)
    analysis = remeasure(results, Corrections(points=(septal(ES, hinge(-1, 16)),)))
    write_results(analysis, results, overwrite=True)
    record = read_measurements(results / "measurements.json")
    values = {one.name: one.value for one in record.measurements}
    assert values["mapse_septal_mm"] == pytest.approx(16, abs=0.1)
    assert values["mapse_mean_mm"] == pytest.approx(14, abs=0.1)
    assert record.edits is not None and record.edits.is_corrected and record.edits.steps[-1].points == 1
    (edit,) = record.edits.points
    assert edit.now_ras_mm == pytest.approx(hinge(-1, 16), abs=1e-3)
    assert edit.model_ras_mm == pytest.approx(hinge(-1, 12), abs=1e-3)
    assert record.edits.model_values["mapse_septal_mm"] == pytest.approx(12, abs=0.01)
    assert any("1 point moved in frame 4, by up to 4.0 mm" in line for line in correction_lines(record))
    assert "landmarks-edited" in {flag.code for flag in record.flags}


def test_moved_points_stay_until_they_are_taken_back(results: Path) -> None:
    write_results(remeasure(results, Corrections(points=(septal(ES, hinge(-1, 16)),))), results, overwrite=True)
    other = remeasure(results, Corrections(rules={"weight_kg": 80.0}))
    assert other.measurements.value("mapse_septal_mm") == pytest.approx(16, abs=0.1)
    write_results(other, results, overwrite=True)
    assert read_measurements(results / "measurements.json").edits.steps[-1].points == 0  # type: ignore[union-attr]
    compared = {one.name: one for one in compare_with_model(results).record.values}["mapse_septal_mm"]
    assert (compared.first, compared.second) == (pytest.approx(12, abs=0.01), pytest.approx(16, abs=0.1))
    back = remeasure(results, Corrections(points=(septal(ES, None),)))
    assert back.edits is not None and not back.edits.points and back.edits.steps[-1].points == 1
    assert back.measurements.value("mapse_septal_mm") == pytest.approx(12, abs=0.01)
    own = found_points().confidence["mitral_septal"]
    assert back.landmarks[View.LAX_4C].confidence["mitral_septal"] == pytest.approx(own)


def test_the_valve_plane_follows(tmp_path: Path) -> None:
    """By the rule valve-plane, hinges moved towards the apex take blood off the end-systolic volume."""
    results = written(tmp_path / "results", found_points(), basal_rule="valve-plane")
    record = read_measurements(results / "measurements.json")
    assert record.edits is None
    alone = remeasure(results, Corrections(rules={"ed_frame": ED, "es_frame": ES})).measurements
    moved = [replace(septal(ES, hinge(-1, 22)), name=name) for name in ("mitral_septal", "mitral_lateral")]
    moved[1] = replace(moved[1], position_ras_mm=hinge(1, 22))
    # Frames are given: a jump of a centimetre in one frame is no end-systole that the neighbours support.
    after = remeasure(results, Corrections(points=tuple(moved), rules={"ed_frame": ED, "es_frame": ES})).measurements
    assert after.value("mapse_mean_mm") == pytest.approx(22, abs=0.1)
    volumes = [one.value("lv_esv_ml") for one in (alone, after)]
    assert volumes[0] is not None and volumes[1] is not None and abs(volumes[1] - volumes[0]) > 1


def test_frames_that_a_reader_corrected_are_measured_where_the_model_is_uncertain(tmp_path: Path) -> None:
    """A model that is sure of no frame: MAPSE comes from the two frames in which a reader placed a hinge."""
    results = written(tmp_path / "results", found_points(confidence=0.1))
    record = read_measurements(results / "measurements.json")
    assert "mapse_septal_mm" not in {one.name for one in record.measurements}
    points = (septal(ED, hinge(-1, -1)), septal(ES, hinge(-1, 16)))
    measured = remeasure(results, Corrections(points=points)).measurements
    assert measured.value("mapse_septal_mm") == pytest.approx(17, abs=0.2)
    (flag,) = [flag for flag in measured.flags if flag.code == "landmarks-implausible-lax_4c"]
    assert "measured in the corrected frames alone" in flag.message


def test_points_that_cannot_be_are_refused(results: Path) -> None:
    record = read_measurements(results / "measurements.json")
    with pytest.raises(InputError, match="expected 0 to 7"):
        move_points(record, [septal(8, None)])
    with pytest.raises(UnknownNameError, match="mitral_septal"):
        move_points(record, [replace(septal(0, None), name="mitral_septum")])
    with pytest.raises(InputError, match="of which"):
        move_points(record, [replace(septal(0, None), view=View.LAX_2C)])
    for text, position in (("lax_4c:apex", None), ("lax_4c:apex:x", None), ("lax_4c:apex:1", (1, 2))):
        with pytest.raises(UsageError, match="expected VIEW:NAME:FRAME"):
            parse_point(text, position)
    same = move_points(record, [septal(ES, hinge(-1, 12))])
    assert same[1] == ()


def test_records_of_the_version_before_are_read(results: Path) -> None:
    path = results / "measurements.json"
    values = {**json.loads(path.read_text()), "schema_version": "2.1"}
    values["edits"] = {"masks": [], "rules": [], "model_values": {}, "steps": []}
    values["edits"]["steps"] = [{"time": "t", "version": "1", "replaced_masks": {}, "rules": ["es_frame"]}]
    path.write_text(json.dumps(values))
    edits = read_measurements(path).edits
    assert edits is not None and edits.points == () and edits.steps[0].points == 0
