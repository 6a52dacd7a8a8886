"""Finished results measured again: the numbers are those of the masks, and what differs from the model's is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import nibabel
import numpy as np
import pytest
from corrected_results import (
    LV,
    Labels,
    edited_mask,
    heart_analysis,
    heart_study,
    shrunk,
    stored_labels,
    written_results,
)
from interop_hearts import chambers_of, with_atria

from cinema_cmr.core.edits import EditedSlice, RuleChange
from cinema_cmr.core.errors import CinemaError, GeometryError, InputError, UnknownNameError, UsageError
from cinema_cmr.core.results import DiseaseClassification, Flag, Measurements
from cinema_cmr.core.vocabulary import View
from cinema_cmr.disease.model import load_disease_model
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.record.stored import read_measurements
from cinema_cmr.report.write import write_results

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
ED = 0


def numbers(measurements: Measurements) -> dict[str, float]:
    """Name -> value, NaN where there is none."""
    return {name: np.nan if value is None else value for name, value in measurements.to_dict().items()}


OWN = numbers(heart_analysis().measurements)


@pytest.fixture(autouse=True)
def _no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return written_results(tmp_path / "results")


def test_unchanged_masks_change_no_number(results: Path) -> None:
    before, again = heart_analysis().measurements, remeasure(results, Corrections())
    assert again.edits is None
    assert numbers(again.measurements) == pytest.approx(OWN, rel=1e-5, nan_ok=True)
    assert [one.reason for one in again.measurements.measured] == [one.reason for one in before.measured]
    assert {flag.code for flag in again.measurements.flags} == {flag.code for flag in before.flags}
    assert (again.study.subject, again.study[View.SAX].rr_interval_ms) == (heart_study().subject, 800.0)
    np.testing.assert_array_equal(again.study[View.SAX].array, heart_study()[View.SAX].array)


def chamber_results(folder: Path) -> Path:
    """Results of a model that outlines the atria in the long axes."""
    write_results(with_atria(heart_analysis()), folder)
    return folder


def test_atria_of_a_long_axis_come_back_and_stay(tmp_path: Path) -> None:
    again = remeasure(chamber_results(tmp_path / "results"), Corrections())
    plane, stack = again.predictions[View.LAX_4C].labels, again.predictions[View.SAX].labels
    assert again.edits is None and (plane.scheme, stack.scheme) == ("chambers", "cine")
    np.testing.assert_array_equal(plane.array, chambers_of(heart_study()[View.LAX_4C]).array)
    assert numbers(again.measurements) == pytest.approx(
        numbers(with_atria(heart_analysis()).measurements), rel=1e-5, nan_ok=True
    )


def test_a_reader_draws_an_atrium_that_the_model_did_not_have(results: Path) -> None:
    def drawn(labels: Labels) -> None:
        labels[2:8, 2:8, 0, 3] = 4

    edited_mask(results, results / "segmentation" / "lax_4c.nii.gz", drawn, view=View.LAX_4C)
    again = remeasure(results, Corrections())
    assert again.edits is not None and [edit.view for edit in again.edits.masks] == [View.LAX_4C]
    assert again.predictions[View.LAX_4C].labels.scheme == "chambers"
    write_results(again, results, overwrite=True)
    assert "left atrium" in (results / "segmentation" / "labels_itksnap.txt").read_text()
    assert np.count_nonzero(stored_labels(results, View.LAX_4C) == 4) == 36
    assert not np.any(stored_labels(results, View.LAX_4C, "segmentation/original") == 4)


@pytest.mark.parametrize("view", [View.SAX, View.LAX_4C])
def test_codes_that_a_view_does_not_have_are_refused(results: Path, view: View) -> None:
    def wrong(labels: Labels) -> None:
        labels[2, 2, 0, 0] = 6 if view.is_long_axis else 4

    edited_mask(results, results / "segmentation" / f"{view}.nii.gz", wrong, view=view)
    with pytest.raises(InputError, match=r"holds the values \[[46]\]"):
        remeasure(results, Corrections())


def test_an_edited_mask_gives_exactly_its_volume_and_the_edits_are_counted(results: Path, tmp_path: Path) -> None:
    mask = edited_mask(results, tmp_path / "edited.nii.gz", shrunk(ED))
    rules = {"basal_rule": "all-slices", "ed_frame": ED}
    again = remeasure(results, Corrections(masks={View.SAX: mask}, rules=rules), now=NOON)
    own, labels = stored_labels(results), np.asarray(nibabel.load(mask).dataobj)
    blood_ml = (labels[..., ED] == LV).sum(axis=(0, 1)) @ heart_study()[View.SAX].voxel_volumes_ml
    assert again.measurements.value("lv_edv_ml") == pytest.approx(blood_ml, rel=1e-5)
    assert again.edits is not None
    (edit,) = again.edits.masks
    changed = np.count_nonzero(labels[..., ED] != own[..., ED], axis=(0, 1))
    assert edit.frames == (ED,) and edit.view is View.SAX
    assert edit.slices == tuple(EditedSlice(frame=ED, slice=z, voxels=int(n)) for z, n in enumerate(changed) if n)
    digest = file_digest(results / "segmentation" / "sax.nii.gz")
    assert edit.model_mask_sha256 == digest and again.edits.steps[0].replaced_masks == {"sax": digest}
    assert again.edits.steps[0].time == "2026-11-29T12:00:00+00:00"
    assert again.edits.model_values["lv_edv_ml"] == pytest.approx(
        heart_analysis().measurements.value("lv_edv_ml"), rel=1e-5
    )
    assert again.edits.rules == (
        RuleChange(name="basal_rule", model="scmr", now="all-slices"),
        RuleChange(name="ed_frame", model=None, now=ED),
    )


def emptied(labels: Labels) -> None:
    labels[:] = 0


def unknown(labels: Labels) -> None:
    labels[0, 0, 0, 0] = 7


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [(emptied, InputError, "no label at all"), (unknown, InputError, r"holds the values \[7\]")],
)
def test_wrong_codes_and_an_empty_mask_are_refused(
    results: Path, tmp_path: Path, change: Callable[[Labels], None], kind: type[CinemaError], text: str
) -> None:
    mask = edited_mask(results, tmp_path / "edited.nii.gz", change)
    with pytest.raises(kind, match=text):
        remeasure(results, Corrections(masks={View.SAX: mask}))


def test_an_empty_mask_is_taken_where_the_model_found_nothing(tmp_path: Path) -> None:
    """A model that found nothing in the 4-chamber view: its mask comes back as it was, here from a file of its own."""
    analysis = heart_analysis()
    plane = analysis.predictions[View.LAX_4C]
    empty = replace(plane.labels, array=np.zeros_like(plane.labels.array))
    predictions = {**analysis.predictions, View.LAX_4C: replace(plane, labels=empty)}
    write_results(replace(analysis, predictions=predictions), tmp_path / "out")
    masks = {View.LAX_4C: edited_mask(tmp_path / "out", tmp_path / "same.nii.gz", lambda _: None, view=View.LAX_4C)}
    masks[View.SAX] = edited_mask(tmp_path / "out", tmp_path / "sax.nii.gz", shrunk(ED))
    edits = remeasure(tmp_path / "out", Corrections(masks=masks)).edits
    assert edits is not None and [edit.view for edit in edits.masks] == [View.SAX]


def test_results_with_a_rejected_view_are_measured_again(results: Path, tmp_path: Path) -> None:
    """A reader rejected the 4-chamber view in the viewer; other rules need no new mask. A new empty one is refused."""
    empty = edited_mask(results, tmp_path / "empty.nii.gz", emptied, view=View.LAX_4C)
    rejected = remeasure(results, Corrections(masks={View.LAX_4C: empty}, empty_masks=True))
    write_results(rejected, results, overwrite=True)
    again = remeasure(results, Corrections(rules={"weight_kg": 90.0}))
    assert not again.predictions[View.LAX_4C].labels.array.any()
    with pytest.raises(InputError, match="no label at all"):
        remeasure(results, Corrections(masks={View.SAX: edited_mask(results, tmp_path / "sax.nii.gz", emptied)}))
    edited_mask(results, results / "segmentation/sax.nii.gz", emptied)
    with pytest.raises(InputError, match="no label at all"):
        remeasure(results, Corrections())


def test_another_grid_and_a_flipped_one_are_refused(results: Path, tmp_path: Path) -> None:
    flipped = nibabel.load(results / "segmentation" / "sax.nii.gz").affine @ np.diag([-1.0, 1, 1, 1])
    mask = edited_mask(results, tmp_path / "flipped.nii.gz", shrunk(ED), affine=flipped)
    with pytest.raises(GeometryError, match="from its image"):
        remeasure(results, Corrections(masks={View.SAX: mask}))
    part = nibabel.Nifti1Image(stored_labels(results)[:, :, 1:], np.diag([2.0, 2.5, 12, 1]))
    part.to_filename(tmp_path / "part.nii.gz")
    with pytest.raises(GeometryError, match="has shape"):
        remeasure(results, Corrections(masks={View.SAX: tmp_path / "part.nii.gz"}))


def test_a_view_without_a_mask_and_an_unknown_rule_are_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2-chamber view was given.*expected one of: sax, lax_4c"):
        remeasure(results, Corrections(masks={View.LAX_2C: tmp_path / "x.nii.gz"}))
    with pytest.raises(UnknownNameError, match="did you mean 'es_frame'"):
        Corrections(rules={"es_frames": 3})
    with pytest.raises(UsageError, match="frame"):
        remeasure(results, Corrections(rules={"es_frame": 99}))


def test_frames_are_moved_and_found_again(results: Path) -> None:
    moved = remeasure(results, Corrections(rules={"es_frame": 2, "weight_kg": 80.0}))
    assert moved.measurements["lv_esv_ml"].frames == (2,) and moved.study.subject.weight_kg == 80
    write_results(moved, results, overwrite=True)
    again = remeasure(results, Corrections(find_frames=True, rules={"weight_kg": 60.0}))
    assert again.edits is not None and again.edits.rules[0].name == "given_weight_kg" and len(again.edits.rules) == 1
    assert numbers(again.measurements) == pytest.approx(OWN, rel=1e-5, nan_ok=True)
    assert [step.rules for step in again.edits.steps] == [("es_frame", "given_weight_kg")] * 2
    assert {**again.edits.model_options(again.run.options)} == dict(heart_analysis().run.options)


def as_of_an_earlier_version(results: Path) -> None:
    """Let run.json be that of a version without one rule, with the former name of another."""
    run = json.loads((results / "run.json").read_text())
    del run["options"]["papillary_rule"]
    run["options"]["basal_rule"] = "half-rim"
    (results / "run.json").write_text(json.dumps(run))


def test_results_of_an_earlier_version_are_not_corrected_by_measuring_them(results: Path) -> None:
    as_of_an_earlier_version(results)
    assert remeasure(results, Corrections()).edits is None
    assert remeasure(results, Corrections(rules={"basal_rule": "scmr"})).edits is None
    moved = remeasure(results, Corrections(rules={"es_frame": 2}))
    assert moved.edits is not None and moved.edits.rules == (RuleChange(name="es_frame", model=None, now=2),)
    assert moved.edits.steps[0].rules == ("es_frame",)
    assert moved.run.options["papillary_rule"] == "blood"


def test_edits_of_an_earlier_version_that_were_none_go(results: Path) -> None:
    """That version counted a rule it did not have, and the new name of another, as changed by the reader."""
    write_results(remeasure(results, Corrections(rules={"es_frame": 2})), results, overwrite=True)
    path = results / "measurements.json"
    record = json.loads(path.read_text())
    for name, value, now in (("papillary_rule", None, "blood"), ("basal_rule", "half-rim", "scmr")):
        record["edits"]["rules"].append({"name": name, "model": value, "now": now})
    path.write_text(json.dumps(record))
    back = remeasure(results, Corrections(find_frames=True))
    assert back.edits is not None and not back.edits.is_corrected


@pytest.mark.medium
def test_a_mask_changed_in_place_is_found_and_the_model_s_own_stays(results: Path) -> None:
    own = stored_labels(results)
    edited_mask(results, results / "segmentation" / "sax.nii.gz", shrunk(4))
    once = remeasure(results, Corrections())
    assert once.edits is not None and once.edits.masks[0].frames == (4,)
    write_results(once, results, overwrite=True)
    edited_mask(results, results / "segmentation" / "sax.nii.gz", shrunk(ED))
    twice = remeasure(results, Corrections())
    assert twice.edits is not None and twice.edits.masks[0].frames == (ED, 4) and len(twice.edits.steps) == 2
    assert twice.edits.model_values == once.edits.model_values
    np.testing.assert_array_equal(stored_labels(results, folder="segmentation/original"), own)
    (results / "segmentation" / "original" / "sax.nii.gz").unlink()
    with pytest.raises(InputError, match="the model's own mask is not beside it"):
        remeasure(results, Corrections())


def test_extremes_that_left_the_corrected_frames_are_a_warning(results: Path, tmp_path: Path) -> None:
    es = int(heart_analysis().measurements["lv_esv_ml"].frames[0])

    def filled(labels: Labels) -> None:
        frame = labels[..., es]
        frame[frame == 2] = LV

    mask = edited_mask(results, tmp_path / "edited.nii.gz", filled)
    flags = {flag.code: flag for flag in remeasure(results, Corrections(masks={View.SAX: mask})).measurements.flags}
    assert flags["corrected-frame-unused"].evidence["corrected_frame"] == es
    assert flags["masks-edited"].evidence == {"sax_frames": 1}
    kept = remeasure(results, Corrections(masks={View.SAX: mask}, rules={"es_frame": es}))
    assert "corrected-frame-unused" not in {flag.code for flag in kept.measurements.flags}


def test_slices_out_of_phase_stay_so_and_flags_of_the_model_are_kept(tmp_path: Path) -> None:
    cines = tuple(replace(cine, in_phase=cine.view is not View.SAX) for cine in heart_study().cines)
    analysis = heart_analysis(replace(heart_study(), cines=cines))
    flag = Flag(code="low-confidence", severity="warning", message="0.50")
    measurements = replace(analysis.measurements, flags=(*analysis.measurements.flags, flag))
    write_results(replace(analysis, measurements=measurements), tmp_path / "out")
    again = remeasure(tmp_path / "out", Corrections()).measurements
    assert again.value("lv_ef_percent") is None and "low-confidence" in {flag.code for flag in again.flags}


@pytest.mark.medium
def test_the_disease_model_classifies_again_if_it_is_the_run_s(tmp_path: Path) -> None:
    bundled = load_disease_model()
    for name, sha256 in (("own", bundled.sha256), ("other", "00")):
        analysis = heart_analysis(disease_sha256=sha256)
        found = DiseaseClassification(reason="a reason", model="m", notice="n")
        analysis = replace(analysis, measurements=replace(analysis.measurements, classification=found))
        write_results(analysis, tmp_path / name)
    own, other = (remeasure(tmp_path / name, Corrections()).measurements.classification for name in ("own", "other"))
    assert own is not None and own.model == bundled.name
    assert other is not None and "not the bundled one" in str(other.reason)


@pytest.mark.medium
def test_without_an_image_the_numbers_are_the_same(tmp_path: Path) -> None:
    results = written_results(tmp_path / "results", images=False)
    assert not (results / "images").exists()
    again = remeasure(results, Corrections())
    assert not again.study[View.SAX].has_image
    assert numbers(again.measurements) == pytest.approx(OWN, rel=1e-5, nan_ok=True)
    with pytest.raises(InputError, match="finds the muscle in the image"):
        remeasure(results, Corrections(rules={"papillary_rule": "mass"}))
    image = tmp_path / "image.nii.gz"
    write_cine(heart_study()[View.SAX], image)
    assert remeasure(results, Corrections(images={View.SAX: image})).study[View.SAX].has_image
    record = read_measurements(results / "measurements.json")
    assert [one.on_file_grid for one in record.cines] == [False, False]
