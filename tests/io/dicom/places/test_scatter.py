"""Slices that lie near each other are repeats only if the stack is whole without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cine_frames import blood_ml, ef, true_blood_ml, usual, write
from synthetic_dicom import codes

from cinema_cmr.io.dicom.merge import merge_slices
from cinema_cmr.io.dicom.places.scatter import mark_scattered
from cinema_cmr.io.dicom.stack import CineSlice
from cinema_cmr.io.dicom.study import read_dicom

NORMAL = np.array([0.0, 0.0, 1.0])
STEP_MM = 9.0
PLACES = STEP_MM * np.arange(13)
SCATTERED = {
    "alternating": PLACES + 2.5 * (-1.0) ** np.arange(13),
    "falling and rising": PLACES + np.array([0, 2.5, -2.5, 0, 0, 2.5, -2.5, 2.5, -2.5, 0, 0, 2.5, 0]),
    "at the end": PLACES + np.array([2.5, -2.5, *[0] * 9, 2.5, -2.5]),
}


def cuts(places: np.ndarray, *, first: int = 1, thickness: float = 9.0) -> list[CineSlice]:
    """A series a slice."""
    return [
        CineSlice(
            series=f"series {first + k}",
            origin=(0.0, 0.0, float(at)),
            frames=tuple(range(1000 * (first + k), 1000 * (first + k) + 10)),
            thickness_mm=thickness,
            acquisition_order=(float(first + k),),
        )
        for k, at in enumerate(places)
    ]


def merged(slices: list[CineSlice]) -> tuple[list[float], int]:
    parts, repeats = merge_slices(mark_scattered(slices, NORMAL), NORMAL)
    return [one.origin[2] for part in parts for one in part], len(repeats)


@pytest.mark.parametrize("name", SCATTERED)
@pytest.mark.parametrize("thickness", [8.0, 9.0])
def test_scattered_slices_are_all_kept(name: str, thickness: float) -> None:
    assert merged(cuts(SCATTERED[name], thickness=thickness)) == (sorted(SCATTERED[name].tolist()), 0)


@pytest.mark.parametrize("offset", [0.0, 1.5, 3.0, -4.0])
def test_retakes_of_a_regular_stack_are_repeats_wherever_breathing_moved_them(offset: float) -> None:
    retakes = cuts(PLACES[[0, 4, 5, 12]] + offset, first=20)
    places, n_repeats = merged([*cuts(PLACES), *retakes])
    assert (len(places), n_repeats) == (13, 4)


def test_a_retake_within_a_scattered_stack_is_a_repeat() -> None:
    places = SCATTERED["alternating"]
    found, n_repeats = merged([*cuts(places), *cuts(places[[3, 7]] + 1.2, first=20)])
    assert (len(found), n_repeats) == (13, 2)


def test_a_whole_repetition_is_no_scattered_stack() -> None:
    parts, _ = merge_slices(mark_scattered([*cuts(PLACES), *cuts(PLACES + 4, first=20)], NORMAL), NORMAL)
    assert [len(part) for part in parts] == [13, 13]


def test_a_second_acquisition_half_a_slice_away_is_not_interleaved() -> None:
    half = (PLACES[1] - PLACES[0]) / 2
    for again, kept in ((PLACES[3:12] + half, [13, 9]), (PLACES[3:7] + half, [12])):
        parts, _ = merge_slices(mark_scattered([*cuts(PLACES), *cuts(again, first=20)], NORMAL), NORMAL)
        assert [len(part) for part in parts] == kept
        assert all(np.diff([one.origin[2] for one in part]).min() > 1.9 * half for part in parts)


def test_a_study_with_scattered_slices_is_measured_whole(tmp_path: Path) -> None:
    straight = usual(8)
    moved = [one.with_(plane=one.plane.moved(2.5 * (-1) ** k)) for k, one in enumerate(straight)]
    study = read_dicom(write(tmp_path, moved))
    (cine,) = study.cines
    assert cine.n_slices == 8 and "slices-repeated" not in codes(study)
    assert ef(blood_ml(cine)) == pytest.approx(ef(true_blood_ml(straight)), abs=4)
