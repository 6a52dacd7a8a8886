"""The long axis found in the images of a beating heart that was put there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from synthetic_dicom import Heart, short_axis_planes

from cinema_cmr.core.geometry import lps_to_ras, plane_angle_deg, unit
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.sort import instance_positions
from cinema_cmr.io.dicom.study import find_stacks, read_dicom
from cinema_cmr.views.motion import axis_from_motion


def cine_of(heart: Heart, *, beside_mm: float = 0.0, n_frames: int = 10) -> Cine:
    """A short-axis cine whose field of view is off the heart by so much."""
    planes = [plane.moved(0.0, beside_mm=beside_mm) for plane in short_axis_planes(heart, n=7)]
    slices = [np.stack([heart.image(p, t / n_frames).T for t in range(n_frames)], axis=-1) for p in planes]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = planes[0].row * planes[0].spacing, planes[0].column * planes[0].spacing
    affine[:3, 2], affine[:3, 3] = planes[0].normal * 10, planes[0].position
    return Cine(
        array=np.stack(slices, axis=2).astype(np.float32),
        affine=lps_to_ras(affine),
        view=View.OTHER,
        slice_positions_mm=np.arange(7) * 10.0,
    )


@pytest.mark.parametrize("beside_mm", [-35.0, 0.0, 25.0])
def test_axis_of_a_heart_off_the_middle_of_the_image(beside_mm: float) -> None:
    heart = Heart(centre=(30.0, -20.0, -10.0), axis=(0.6, -0.6, -0.5))
    axis = axis_from_motion(cine_of(heart, beside_mm=beside_mm))
    truth = lps_to_ras(unit(np.array(heart.axis)))
    offset = axis.centre - lps_to_ras(np.array(heart.centre))
    assert np.linalg.norm(offset - (offset @ truth) * truth) < 5
    assert plane_angle_deg(axis.direction, truth) < 8
    assert axis.direction @ truth > 0


def test_a_brighter_disc_that_does_not_beat_is_not_taken_for_the_ventricle() -> None:
    cine = cine_of(Heart())
    x, y = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    array = cine.array.copy()
    array[np.hypot(x - 10, y - 52) < 7] = 1500
    offset = axis_from_motion(cine.with_array(array)).centre - lps_to_ras(np.array(Heart().centre))
    truth = lps_to_ras(unit(np.array(Heart().axis)))
    assert np.linalg.norm(offset - (offset @ truth) * truth) < 5


def test_an_offset_of_all_intensities_moves_no_axis() -> None:
    cine = cine_of(Heart(), beside_mm=-25.0)
    small = cine.with_array(cine.array[14:50, 20:56])
    plain, other = axis_from_motion(small), axis_from_motion(small.with_array(small.array + np.float32(2000)))
    assert np.allclose(plain.centre, other.centre, atol=0.1) and plane_angle_deg(plain.direction, other.direction) < 0.5


def test_two_frames_are_enough() -> None:
    cine = cine_of(Heart())
    two = cine.with_array(cine.array[..., [0, 4]])
    offset = axis_from_motion(two).centre - lps_to_ras(np.array(Heart().centre))
    truth = lps_to_ras(unit(np.array(Heart().axis)))
    assert np.linalg.norm(offset - (offset @ truth) * truth) < 5


@pytest.mark.realdata
@pytest.mark.parametrize("case", ["SCD0000101", "SCD0000301", "SCD0000501"])
def test_axis_passes_through_the_hand_contours(real_data: Path, tmp_path: Path, case: str) -> None:
    folder = real_data / "sunnybrook" / case
    with zipfile.ZipFile(folder / "dicom.zip") as archive:
        archive.extractall(tmp_path)
    cine = read_dicom(tmp_path, name=case).cine(View.SAX)
    found, stacks = find_stacks(tmp_path)
    places = instance_positions(stacks.stacks[0], found.headers)
    axis = axis_from_motion(cine)
    into = np.linalg.inv(cine.affine)
    start, step = into[:3, :3] @ axis.centre + into[:3, 3], into[:3, :3] @ axis.direction
    for path in sorted(folder.rglob("*icontour*.txt")):
        position, _ = places[(cine.label, int(path.stem.split("-")[2]))]
        at = start + (position - start[2]) / step[2] * step
        off_mm = np.linalg.norm((np.loadtxt(path).mean(axis=0) - at[:2]) * cine.spacing_mm[0])
        assert off_mm < 15


@pytest.mark.slow
@pytest.mark.realdata
def test_axis_of_a_hundred_acdc_patients_from_two_frames(real_data: Path) -> None:
    """ACDC carries no orientation: what can be checked is the in-plane distance at the cavity's height."""
    import nibabel

    off_mm = []
    for folder in sorted((real_data / "acdc" / "database" / "training").glob("patient*")):
        images = [nibabel.load(path) for path in sorted(folder.glob("*frame??.nii.gz"))]
        labels = np.asarray(nibabel.load(sorted(folder.glob("*_gt.nii.gz"))[0]).dataobj)
        spacing = np.array(images[0].header.get_zooms()[:3], dtype=float)
        cine = Cine(
            array=np.stack([np.asarray(image.dataobj, dtype=np.float32) for image in images], axis=-1),
            affine=np.diag([*spacing, 1.0]),
            view=View.OTHER,
            slice_positions_mm=np.arange(labels.shape[2]) * spacing[2],
        )
        axis = axis_from_motion(cine)
        cavity = np.argwhere(labels.round() == 3).mean(axis=0) * spacing
        at = axis.point(float((cavity - axis.centre)[2] / axis.direction[2]))
        off_mm.append(float(np.linalg.norm((at - cavity)[:2])))
    assert len(off_mm) == 100
    assert np.median(off_mm) < 3 and max(off_mm) < 17
