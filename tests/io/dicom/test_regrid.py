"""Slices of one stack on different grids come out on the majority's, at their places in the patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cine_frames import blood_ml, ef, true_blood_ml, usual, write
from synthetic_dicom import Plane

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.regrid import resample_in_plane
from cinema_cmr.io.dicom.stack import SliceGrid
from cinema_cmr.io.dicom.study import read_dicom

GRID = SliceGrid(orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), pixel_spacing=(2.0, 2.0), rows=8, columns=6)


def turned(plane: Plane, about: str, degrees: float) -> Plane:
    axis = {"row": plane.row, "normal": plane.normal}[about]
    angle = np.radians(degrees)

    def turn(v: np.ndarray) -> np.ndarray:
        return v * np.cos(angle) + np.cross(axis, v) * np.sin(angle) + axis * (axis @ v) * (1 - np.cos(angle))

    return replace(plane, orientation=(*turn(plane.row).tolist(), *turn(plane.column).tolist()))


CHANGES: dict[str, Callable[[Plane, int], Plane]] = {
    "matrix": lambda plane, _: replace(plane, shape=(48, 64)),
    "field of view 10 %": lambda plane, _: replace(plane, spacing=3.3),
    "pixel size 5 %": lambda plane, _: replace(plane, spacing=3.15),
    "tilt": lambda plane, k: turned(plane, "row", (1.2, -2.0)[k]),
    "rotated in plane": lambda plane, _: turned(plane, "normal", 30),
    "rotated by 90 degrees": lambda plane, _: turned(plane, "normal", 90),
    "rows upwards": lambda plane, _: replace(plane, orientation=(*plane.row.tolist(), *(-plane.column).tolist())),
    "off-centre": lambda plane, _: plane.moved(0, beside_mm=33),
    "cropped off-centre": lambda plane, _: replace(plane.moved(0, beside_mm=24), shape=(64, 48)),
}


@pytest.mark.medium
@pytest.mark.parametrize("change", CHANGES)
def test_slices_on_another_grid_stay_in_the_stack(tmp_path: Path, change: str) -> None:
    slices = usual(5)
    truth = true_blood_ml(slices, 10)
    short = [one.with_(phases=np.arange(10) / 10, tags=lambda k: {"TriggerTime": 80.0 * k}) for one in slices]
    changed = [
        one.with_(plane=CHANGES[change](one.plane, k), series=9 if change == "matrix" else one.series) if k < 2 else one
        for k, one in enumerate(short)
    ]
    study = read_dicom(write(tmp_path, changed))
    cine = study.cine(View.SAX)
    assert cine.shape == (64, 64, 5, 10)
    assert cine.sources is not None
    resampled = [row for row in cine.sources.images if any(one is not None and one.resampled for one in row)]
    assert len(resampled) == 2, "the two changed slices"
    curve = blood_ml(cine)
    # A pixel more or less of a small apical cavity of 3 mm pixels is some percent.
    assert ef(curve) == pytest.approx(ef(truth), abs=4.0)
    assert curve.max() == pytest.approx(truth.max(), rel=0.04)
    (issue,) = (one for one in study.issues if one.code == "slices-regridded")
    assert issue.severity == "info" and issue.evidence["slices"] == "0, 1"


@pytest.mark.medium
def test_a_stack_of_which_every_slice_is_tilted_differently(tmp_path: Path) -> None:
    slices = usual(5)
    tilts = (1.2, -0.8, 0.7, -2.0, 1.0)
    tilted = [one.with_(plane=turned(one.plane, "row", tilt)) for one, tilt in zip(slices, tilts, strict=True)]
    cine = read_dicom(write(tmp_path, tilted)).cine(View.SAX)
    assert cine.n_slices == 5
    assert ef(blood_ml(cine)) == pytest.approx(ef(true_blood_ml(slices)), abs=1.5)


def test_a_shift_by_whole_pixels_is_exact() -> None:
    images = np.random.default_rng(0).random((6, 8, 2)).astype(np.float32)
    moved = resample_in_plane(images, GRID, (0.0, 0.0, 0.0), onto=GRID, at=(2.0, -4.0, 3.0))
    np.testing.assert_array_equal(moved[:5, 2:], images[1:, :6])
    assert not moved[5].any() and not moved[:, :2].any()


def test_a_plane_of_grey_values_is_met_at_its_place_whatever_the_grid() -> None:
    fine = replace(GRID, pixel_spacing=(1.0, 0.5), rows=30, columns=40)
    x, y = np.meshgrid(np.arange(40) * 0.5 - 3, np.arange(30) * 1.0 - 5, indexing="ij")
    ramp = (3 * x + 2 * y)[..., None].astype(np.float32)
    found = resample_in_plane(ramp, fine, (-3.0, -5.0, 0.0), onto=GRID, at=(0.0, 0.0, 7.0))
    i, j = np.meshgrid(np.arange(6) * 2.0, np.arange(8) * 2.0, indexing="ij")
    np.testing.assert_allclose(found[..., 0], 3 * i + 2 * j, atol=1e-4)
