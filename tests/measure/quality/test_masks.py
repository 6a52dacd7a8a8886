"""Each mask check fires on its own fault and stays silent on a sound heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearts import LV, MYO, RV, context_of, heart, prediction_of

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, RemovedComponent
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.quality import masks
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.quality.masks import MASK_CHECKS


@pytest.fixture(scope="module")
def sound() -> QualityContext:
    return context_of(*heart())


@pytest.mark.parametrize("check", MASK_CHECKS, ids=lambda check: check.__name__)
def test_sound_masks_are_silent(check: masks.Check, sound: QualityContext) -> None:
    assert check(sound) is None


@pytest.mark.parametrize(("frames", "severity"), [([0, 1], "error"), ([1], "warning")])
def test_structure_missing(frames: list[int], severity: str) -> None:
    cine, labels = heart()
    for frame in frames:
        labels.array[..., frame][labels.array[..., frame] == RV] = 0
    flag = masks.structure_missing(context_of(cine, labels))
    assert flag is not None and flag.severity == severity
    assert flag.evidence == {"rv_frames": len(frames)}


def test_multiple_components() -> None:
    cine, labels = heart()
    labels.array[:, :, 2:4][labels.array[:, :, 2:4] == RV] = 0
    flag = masks.multiple_components(context_of(cine, labels))
    assert flag is not None and flag.evidence["structure"] == "rv"
    assert 0.05 < float(flag.evidence["share"] or 0) < 0.5


def test_stray_pixel_is_ignored() -> None:
    cine, labels = heart()
    labels.array[2, 2, 0] = LV
    assert masks.multiple_components(context_of(cine, labels)) is None


def test_lv_not_enclosed() -> None:
    cine, labels = heart()
    plane = labels.array[:, :, 4, 0]
    plane[plane == MYO] = 0
    flag = masks.lv_not_enclosed(context_of(cine, labels))
    assert flag is not None and (flag.evidence["slice"], flag.evidence["frame"]) == (4, 0)
    assert flag.severity == "warning" and float(flag.evidence["blood_share"] or 0) > masks.OPEN_SHARE


def test_an_open_rim_about_the_last_drops_at_the_apex_is_an_info() -> None:
    cine, labels = heart()
    plane = labels.array[:, :, 9, 0]
    plane[plane == MYO] = 0
    plane[50:54, 40:43] = LV
    flag = masks.lv_not_enclosed(context_of(cine, labels))
    assert flag is not None and flag.severity == "info" and flag.evidence["slice"] == 9
    assert 0 < float(flag.evidence["blood_share"] or 0) < masks.OPEN_SHARE


def test_basal_slice_excluded_reports_its_volume() -> None:
    cine, labels = heart()
    plane = labels.array[:, :, 0, 0]
    plane[plane == MYO] = 0
    context = context_of(cine, labels)
    flag = masks.basal_slice_excluded(context)
    added = np.count_nonzero(plane == LV) * cine.voxel_volumes_ml[0]
    assert flag is not None and flag.severity == "info"
    assert flag.evidence["frame_0_ml"] == pytest.approx(added, abs=0.1)
    assert masks.lv_not_enclosed(context) is None  # excluded slices need not be enclosed


def test_basal_slice_excluded_names_the_rule_and_what_a_valve_plane_left_out_of_a_slice() -> None:
    cine, labels = heart()
    context = context_of(cine, labels)
    shares = np.ones_like(context.volumes.lv_shares)
    shares[0, 0] = 0.25
    cut = replace(context.volumes, basal_rule="valve-plane", lv_shares=shares, lv_excluded=shares < 0.5)
    flag = masks.basal_slice_excluded(replace(context, volumes=cut))
    blood_ml = np.count_nonzero(labels.array[:, :, 0, 0] == LV) * cine.voxel_volumes_ml[0]
    assert flag is not None and "valve plane" in flag.message and "% of its rim" not in flag.message
    assert flag.evidence["frame_0_ml"] == pytest.approx(0.75 * blood_ml, abs=0.1)
    atrial = replace(cut, basal_rule="descent", lv_shares=np.where(shares < 1, 0.0, 1.0))
    flag = masks.basal_slice_excluded(replace(context, volumes=atrial))
    assert flag is not None and "atrium" in flag.message


def test_slice_without_lv() -> None:
    cine, labels = heart()
    labels.array[:, :, 5, 1] = 0
    flag = masks.slice_without_lv(context_of(cine, labels))
    assert flag is not None and flag.evidence == {"slice": 5, "frame": 1}


@pytest.mark.parametrize(("volume", "severity"), [(0.5, "info"), (12.0, "warning")])
def test_removed_components(volume: float, severity: str) -> None:
    removed = (
        RemovedComponent(structure="rv", frame=1, volume_ml=volume),
        RemovedComponent(structure="lv", frame=0, volume_ml=0.1),
    )
    flag = masks.removed_components(context_of(*heart(), removed_components=removed))
    assert flag is not None and flag.severity == severity
    assert (flag.evidence["components"], flag.evidence["frame"]) == (2, 1)


@pytest.mark.medium
def test_low_confidence() -> None:
    flag = masks.low_confidence(context_of(*heart(), confidence=np.array([0.95, 0.6], dtype=np.float32)))
    assert flag is not None and flag.evidence["confidence"] == pytest.approx(0.6)
    usual = context_of(*heart(), confidence=np.array([0.95, 0.85], dtype=np.float32))
    assert masks.low_confidence(usual) is None
    strict = context_of(*heart(), confidence=np.array([0.95, 0.85], dtype=np.float32), least_confidence=0.9)
    flag = masks.low_confidence(strict)
    assert flag is not None and "is 0.85, below 0.9" in flag.message
    cut = heart(shape=(50, 80))
    for lowest, fires in ((0.895, False), (0.88, True)):
        unsure = context_of(*cut, confidence=np.array([0.95, lowest], dtype=np.float32), least_confidence=0.9)
        assert (masks.low_confidence(unsure) is not None) is fires
    undefined = context_of(*heart(), confidence=np.array([np.nan, np.nan], dtype=np.float32))
    assert masks.low_confidence(undefined) is None


@pytest.mark.parametrize(
    ("truncated", "severity", "words"), [(False, "info", "expanded to 216x216 mm"), (True, "warning", "edge")]
)
def test_heart_exceeds_fov(truncated: bool, severity: str, words: str) -> None:
    facts = {"fov_mm": (216.0, 216.0), "fov_expansions": 1, "truncated": truncated}
    flag = masks.heart_exceeds_fov(context_of(*heart(), **facts))
    assert flag is not None and (flag.code, flag.severity) == ("heart-exceeds-fov", severity)
    assert words in flag.message and flag.evidence == {"fov_mm": "216x216", "fov_expansions": 1}
    assert masks.heart_exceeds_fov(context_of(*heart(), fov_mm=(168.0, 168.0))) is None


@pytest.mark.parametrize(("magnification", "raised"), [(1.85, True), (None, False)])
def test_small_heart(magnification: float | None, raised: bool) -> None:
    evidence = {"extent_mm": 54.0, "magnification": magnification}
    location = HeartLocation(centre=(0.0, 0.0), method="motion", evidence=evidence)
    flag = masks.small_heart(context_of(*heart(), location=location))
    assert (flag is not None) is raised
    if flag is not None:
        assert flag.severity == "warning" and "54 mm across" in flag.message and "1.9 times" in flag.message
        assert flag.evidence == evidence


def test_fov_flag_names_a_long_axis_view() -> None:
    prediction = prediction_of(LabelMap(array=np.zeros((2, 2, 1, 1), np.uint8)), View.LAX_4C, fov_expansions=1)
    flag = masks.fov_flag(prediction)
    assert flag is not None and flag.message.startswith(f"{View.LAX_4C.title}: the heart exceeds")
