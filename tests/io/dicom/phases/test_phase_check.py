"""Slices of unknown phase: aligned by their motion with a flag, cut to a beat, or no ejection fraction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cine_frames import N, SliceSpec, blood_ml, ef, true_blood_ml, ungated, usual, write

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.phases.phase_check import PHASES_UNKNOWN
from cinema_cmr.io.dicom.study import read_dicom
from cinema_cmr.io.dicom.writing.series import DicomShape, write_dicom
from cinema_cmr.measure.measure import measure_masks
from cinema_cmr.phantom.phantom import make_phantom

pytestmark = pytest.mark.medium
SHIFTS = (9, 10, 15, 19, 0)


def read(folder: Path, slices: list[SliceSpec]) -> tuple[Study, Cine, list[str]]:
    study = read_dicom(write(folder, slices))
    return study, study["sax"], [issue.code for issue in study.issues if issue.code != "rr-interval"]


def shifted(n_frames: int, beats: tuple[int, ...] = (N,) * 5) -> list[SliceSpec]:
    return [
        one.with_(phases=np.arange(n_frames) / beat + shift / N, tags=ungated)
        for one, beat, shift in zip(usual(5), beats, SHIFTS, strict=True)
    ]


def test_real_time_slices_that_start_anywhere_are_aligned_and_flagged(tmp_path: Path) -> None:
    _, cine, codes = read(tmp_path, shifted(N))
    assert codes == ["slices-aligned-by-motion"]
    assert ef(blood_ml(cine)) == pytest.approx(ef(true_blood_ml(usual(5))), abs=1.0)
    assert cine.rr_interval_ms is None  # frames x step would be a guess


def test_one_beat_of_several_of_different_length_in_each_slice(tmp_path: Path) -> None:
    _, cine, codes = read(tmp_path, shifted(45, (18, 20, 22, 19, 21)))
    assert set(codes) == {"window-longer", "slices-aligned-by-motion"}
    assert cine.n_frames == N
    assert cine.rr_interval_ms == pytest.approx(20 * 40, rel=0.03)
    assert ef(blood_ml(cine)) == pytest.approx(ef(true_blood_ml(usual(5))), abs=2.0)


@pytest.mark.parametrize("tags", [ungated, lambda k: {"TriggerTime": 40.0 * k}], ids=["no trigger", "trigger"])
def test_a_window_of_more_than_a_beat_gives_the_beat_from_the_images(tmp_path: Path, tags: object) -> None:
    _, cine, codes = read(tmp_path, [one.with_(phases=np.arange(26) / N, tags=tags) for one in usual(5)])
    assert codes == ["window-longer"]
    assert cine.n_frames == N and cine.rr_interval_ms == pytest.approx(800, rel=0.02)


def test_slices_without_trigger_among_others_follow_those(tmp_path: Path) -> None:
    late = np.arange(N) / N + 0.5
    slices = [one.with_(phases=late, tags=lambda _: {}) if k in (2, 3) else one for k, one in enumerate(usual(5))]
    _, cine, codes = read(tmp_path, slices)
    assert codes == ["slices-aligned-by-motion"]
    assert int(blood_ml(cine).argmax()) in (0, N - 1)
    assert ef(blood_ml(cine)) == pytest.approx(ef(true_blood_ml(usual(5))), abs=1.0)


def test_slices_in_phase_without_any_tag_are_taken_as_they_are(tmp_path: Path) -> None:
    _, cine, codes = read(tmp_path, [one.with_(tags=lambda _: {}) for one in usual(5)])
    assert codes == [] and cine.in_phase
    np.testing.assert_allclose(blood_ml(cine), true_blood_ml(usual(5)), rtol=1e-5)


def test_slices_without_times_that_stop_early_have_no_ejection_fraction(tmp_path: Path) -> None:
    short = np.arange(14) / N
    slices = [
        one.with_(phases=short if k in (1, 2) else np.arange(N) / N, tags=lambda _: {})
        for k, one in enumerate(usual(5))
    ]
    study, cine, codes = read(tmp_path, slices)
    assert PHASES_UNKNOWN in codes and "frame-count-differs" in codes and not cine.in_phase
    (issue,) = (issue for issue in study.issues if issue.code == PHASES_UNKNOWN)
    assert "numbers of frames" in issue.message


def test_slices_whose_motion_does_not_agree_have_no_ejection_fraction(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    _, cine, codes = read(tmp_path, [one.with_(phases=rng.permutation(N) / N, tags=lambda _: {}) for one in usual(5)])
    assert codes == [PHASES_UNKNOWN] and not cine.in_phase
    labels = np.where(cine.array > 600, 3, np.where(cine.array < 200, 2, 0)).astype(np.uint8)
    measured = measure_masks(cine, LabelMap(array=labels))
    assert measured["lv_ef_percent"].value is None
    assert "not in phase" in (measured["lv_ef_percent"].reason or "")


def test_trigger_times_that_the_images_contradict_are_an_error(tmp_path: Path) -> None:
    slices = [one.with_(phases=np.arange(N) / N + shift / N) for one, shift in zip(usual(5), SHIFTS, strict=True)]
    _, _, codes = read(tmp_path, slices)
    assert codes == ["phases-contradict"]


@pytest.mark.parametrize("beats", [(2, 2), (2, 1)])
def test_long_axes_show_the_same_single_beat_as_the_stack(tmp_path: Path, beats: tuple[int, int]) -> None:
    """As of missed R waves in all series, or in the stack alone: at the same share of the cycle both show one phase."""
    made = make_phantom(3, views=(View.SAX, View.LAX_4C), n_frames=N).study
    assert made.cines[0].rr_interval_ms is not None
    cines = tuple(repeated(one, n) for one, n in zip(made.cines, beats, strict=True))
    write_dicom(replace(made, cines=cines), tmp_path, shape=DicomShape.SERIES_PER_VIEW)
    study = read_dicom(tmp_path)
    plane = study[View.LAX_4C]
    assert [cine.n_frames for cine in study.cines] == [N, N]
    assert plane.rr_interval_ms == pytest.approx(made.cines[0].rr_interval_ms, rel=0.03)
    assert np.corrcoef(plane.array.ravel(), made[View.LAX_4C].array.ravel())[0, 1] > 0.99
    assert [one.code for one in study.issues].count("window-longer") == beats[1]


def repeated(cine: Cine, beats: int) -> Cine:
    """The same cine over several beats, as one cycle by its tags."""
    assert cine.frame_times_ms is not None and cine.rr_interval_ms is not None
    times = np.concatenate([cine.frame_times_ms + k * cine.rr_interval_ms for k in range(beats)])
    array = np.concatenate([cine.array] * beats, axis=3)
    return replace(cine, array=array, frame_times_ms=times, rr_interval_ms=beats * cine.rr_interval_ms)
