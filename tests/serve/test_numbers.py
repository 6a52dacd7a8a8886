"""Quick numbers and all numbers are those of `measure_masks` on the whole corrected mask."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interop_hearts import AXIS, CENTRE, RIGHT

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import MeasureOptions, count_volumes, measure_masks
from cinema_cmr.report.record.study_record import LandmarkRecord, StudyRecord
from cinema_cmr.serve import numbers
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.opened_study import OpenedStudy, open_study
from cinema_cmr.serve.study_store import StudyStore

pytestmark = pytest.mark.medium


@pytest.fixture
def study(results: Path) -> OpenedStudy:
    return open_study(results, Library([results]).record(results))


def erased(study: OpenedStudy, frame: int = 0, index: int = 2) -> None:
    view = study.views[View.SAX]
    assert view.labels is not None
    plane = view.labels[:, :, index, frame].copy()
    plane[: plane.shape[0] // 2] = 0
    study.change("sax", frame, index, plane)


def test_without_a_correction_the_numbers_are_those_of_the_run(study: OpenedStudy) -> None:
    views = {name: view for name, view in study.views.items() if view.labels is not None}
    whole = Study(name="", cines=tuple(view.cine for view in views.values()), subject=study.record.subject)
    masks = {name: LabelMap(array=view.labels) for name, view in views.items() if view.labels is not None}
    fresh = measure_masks(whole, masks).to_dict()
    assert len([value for value in fresh.values() if value is not None]) > 50
    for shown in (study.numbers().to_dict(), study.quick_numbers().to_dict()):
        assert shown == {name: value and pytest.approx(value, rel=1e-4, abs=1e-4) for name, value in fresh.items()}


@pytest.mark.parametrize("es_frame", [None, 6])
def test_corrected_numbers_are_those_of_the_whole_mask(study: OpenedStudy, es_frame: int | None) -> None:
    erased(study)
    if es_frame is not None:
        study.choose_frames(None, es_frame)
    view = study.views[View.SAX]
    assert view.labels is not None
    whole = measure_masks(view.cine, LabelMap(array=view.labels), options=MeasureOptions(es_frame=es_frame))
    quick = study.quick_numbers()
    for name in quick:
        assert quick.value(name) == pytest.approx(whole.value(name)), name
        assert study.numbers().value(name) == pytest.approx(whole.value(name)), name
    np.testing.assert_allclose(quick.curves["lv_volume_ml"], whole.curves["lv_volume_ml"])
    before = next(one.value for one in study.record.measurements if one.name == "lv_edv_ml")
    assert quick.value("lv_edv_ml") != pytest.approx(before, rel=1e-3)


def test_the_rule_for_papillary_muscles_measures_in_the_image(results: Path) -> None:
    run = json.loads((results / "run.json").read_text())
    run["options"]["papillary_rule"] = "mass"
    (results / "run.json").write_text(json.dumps(run))
    study = open_study(results, Library([results]).record(results))
    view = study.views[View.SAX]
    assert view.labels is not None
    darkened = view.pixels.copy()
    darkened[(view.labels == 3) & (np.arange(view.labels.shape[0])[:, None, None, None] % 4 == 0)] = 250
    view.pixels = darkened
    erased(study)
    options = MeasureOptions(papillary_rule="mass")
    image = darkened * np.float32(view.scaling[0]) + np.float32(view.scaling[1])
    whole = measure_masks(view.cine.with_array(image), LabelMap(array=view.labels), options=options)
    blood = measure_masks(view.cine.with_array(image), LabelMap(array=view.labels))
    assert whole.value("lv_edv_ml") != pytest.approx(blood.value("lv_edv_ml"), rel=1e-3)
    for name in ("lv_edv_ml", "lv_ef_percent", "lv_mass_g"):
        assert study.quick_numbers().value(name) == pytest.approx(whole.value(name)), name
        assert study.numbers().value(name) == pytest.approx(whole.value(name)), name


@pytest.mark.parametrize(
    "rules",
    [{"basal_rule": "valve-plane"}, {"phase_rule": "lv"}, {"ed_frame": 2, "es_frame": 5}],
)
def test_quick_numbers_follow_the_rules_of_the_run(results: Path, rules: dict[str, str | float]) -> None:
    """With the hinge points of a 4-chamber view, without which "valve-plane" is another rule."""
    run = json.loads((results / "run.json").read_text())
    run["options"].update(rules)
    (results / "run.json").write_text(json.dumps(run))
    record = Library([results]).record(results)
    study = open_study(results, replace(record, landmarks=(hinge_points(record),)))
    erased(study)
    quick, whole = study.quick_numbers(), study.numbers()
    for name in quick:
        assert quick.value(name) == pytest.approx(whole.value(name)), name
    default = open_study(results, record)
    default.run = replace(default.run, options={})
    erased(default)
    assert quick.to_dict() != default.quick_numbers().to_dict()


@pytest.mark.parametrize(("rule", "counts"), [("scmr", 1), ("valve-plane", 2)])
def test_a_moved_landmark_counts_the_stack_again_only_by_the_rule_that_follows_it(
    marked: Path, monkeypatch: pytest.MonkeyPatch, rule: str, counts: int
) -> None:
    run = json.loads((marked / "run.json").read_text())
    run["options"]["basal_rule"] = rule
    (marked / "run.json").write_text(json.dumps(run))
    called = []
    monkeypatch.setattr(numbers, "count_volumes", lambda *args: called.append(1) or count_volumes(*args))
    study = open_study(marked, Library([marked]).record(marked))
    erased(study)
    before = study.quick_numbers()
    study.move_point("lax_4c", "mitral_septal", 0, (20.0, 18.0))
    after = study.quick_numbers()
    assert len(called) == counts
    assert before.value("mapse_septal_mm") != after.value("mapse_septal_mm")
    assert (before.value("lv_edv_ml") != after.value("lv_edv_ml")) is (rule == "valve-plane")
    study.choose_frames(None, 5)
    assert study.quick_numbers()["lv_esv_ml"].frames == (5,) and len(called) == counts
    erased(study, index=3)
    whole = study.numbers()
    study.measured = None
    quick = study.quick_numbers()
    assert len(called) == counts + 1
    for name in quick:
        assert quick.value(name) == pytest.approx(whole.value(name)), name


def test_flags_of_the_reader_and_of_the_model_stay_on_the_page_after_a_correction(results: Path) -> None:
    """As `cinema remeasure` keeps them, with the words that they are of the model's own masks."""
    document = json.loads((results / "measurements.json").read_text())
    document["flags"].append({"code": "low-confidence", "severity": "warning", "message": "0.50", "evidence": {}})
    document["issues"].append({"code": "view-uncertain", "severity": "warning", "message": "look", "evidence": {}})
    document["predictions"][0]["removed_components"] = [{"structure": "lv", "frame": 1, "volume_ml": 9.0}]
    (results / "measurements.json").write_text(json.dumps(document))
    study = open_study(results, Library([results]).record(results))
    erased(study)
    shown = {flag.code: flag.message for flag in study.numbers().flags}
    assert shown["low-confidence"] == "0.50 (of the model's own masks)" and shown["view-uncertain"] == "look"
    assert shown["removed-components"].endswith("in frame 1 (of the model's own masks)")
    StudyStore(Library([results])).write_results(study)
    written = {flag.code: flag.message for flag in study.numbers().flags}
    assert shown == {code: written[code] for code in shown}
    assert written.keys() - shown.keys() <= {"masks-edited", "corrected-frame-unused"}
    study.change("sax", 0, 2, None)
    back = {flag.code: flag.message for flag in study.numbers().flags}
    assert back["low-confidence"] == "0.50" and back["removed-components"].endswith("in frame 1")


def hinge_points(record: StudyRecord) -> LandmarkRecord:
    """Hinge points of the mitral valve, across the heart's axis 20 mm above its centre, and the apex."""
    n_frames = len(record.curves.times_ms or ())
    places = {"mitral_septal": (22 * RIGHT, 20), "mitral_lateral": (-22 * RIGHT, 20), "apex": (0 * RIGHT, -36)}
    points = {name: tuple((CENTRE + across + along * AXIS).tolist()) for name, (across, along) in places.items()}
    return LandmarkRecord(
        view=View.LAX_4C,
        cine="lax",
        model="m",
        points_ras_mm={name: (point,) * n_frames for name, point in points.items()},
        confidence={name: (0.9,) * n_frames for name in points},
    )


def test_a_label_outside_of_the_measured_part_is_counted(study: OpenedStudy) -> None:
    view = study.views[View.SAX]
    assert view.labels is not None
    plane = view.labels[:, :, 2, 0].copy()
    before = study.quick_numbers().curves["rv_volume_ml"][0]
    plane[0, 0] = 1
    study.change("sax", 0, 2, plane)
    added = study.quick_numbers().curves["rv_volume_ml"][0] - before
    assert added == pytest.approx(view.cine.voxel_volumes_ml[2], abs=1e-4)  # the stored curve has six digits
