"""An analytic heart in patient space, imaged in any plane and written as DICOM; its analysis needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import HeartLocation, LandmarkPrediction, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.writing.series import DicomShape, write_dicom
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.measure import measure_masks

N_FRAMES = 8
AXIS = np.array([0.6, -0.6, 0.53]) / np.linalg.norm([0.6, -0.6, 0.53])
"""Long axis of the heart, apex to base, RAS."""
CENTRE = np.array([-20.0, 30.0, 40.0])
GRID_SHIFT = np.array([0.31, 0.17, 0.23])
"""Keeps voxels off the very surface of the heart, where rounding would decide."""
RIGHT = np.cross(AXIS, [0.0, 0.0, 1.0]) / np.linalg.norm(np.cross(AXIS, [0.0, 0.0, 1.0]))
EVEN, UNEVEN = np.arange(6) * 10.0, np.array([0.0, 10, 20, 34, 44, 60])
IDENTITY = {
    "PatientName": "Müller^Anna",
    "PatientID": "P-0017",
    "PatientBirthDate": "19700203",
    "AccessionNumber": "A-99",
    "StudyID": "77",
    "ReferringPhysicianName": "House^G",
    "InstitutionName": "St. Elsewhere",
    "StudyDescription": "cardiac MRI of Anna",
}


def heart_labels(points: NDArray[np.floating], frame: float) -> NDArray[np.uint8]:
    """Labels (1 RV, 2 myocardium, 3 LV) of points (..., 3) in RAS mm; the heart contracts and relaxes once."""
    squeeze = 1 - 0.25 * np.sin(np.pi * (frame % N_FRAMES) / N_FRAMES) ** 2

    def distance(offset: NDArray[np.floating], across: float, along: float) -> NDArray[np.floating]:
        relative = points - CENTRE - offset
        height = relative @ AXIS
        return np.sqrt((np.linalg.norm(relative, axis=-1) ** 2 - height**2) / across**2 + (height / along) ** 2)

    labels = np.zeros(points.shape[:-1], np.uint8)
    labels[distance(RIGHT * 28, 20 * squeeze, 26) < 1] = 1
    labels[distance(np.zeros(3), 30, 40) < 1] = 2
    labels[distance(np.zeros(3), 21 * squeeze, 33) < 1] = 3
    return labels


def plane_affine(normal: NDArray[np.floating], *, step_mm: float, size: tuple[int, int], pixel_mm: float) -> NDArray:
    """Affine of planes around the centre of the heart, the first at half of the steps before it."""
    row = np.cross(normal, [0.0, 0.3, 1.0])
    row /= np.linalg.norm(row)
    column = np.cross(normal, row)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * pixel_mm, column * pixel_mm * 1.25, normal * step_mm
    affine[:3, 3] = CENTRE + GRID_SHIFT - affine[:3, 0] * size[0] / 2 - affine[:3, 1] * size[1] / 2
    return affine


def flipped(affine: NDArray[np.floating], size: tuple[int, int], how: str) -> tuple[NDArray, tuple[int, int]]:
    """The same planes with the image axes reversed or exchanged: "i", "j", "ij", "t" or combinations such as "ti"."""
    affine, shape = affine.copy(), list(size)
    if "t" in how:
        affine[:3, [0, 1]], shape = affine[:3, [1, 0]], shape[::-1]
    for axis, name in enumerate("ij"):
        if name in how:
            affine[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
            affine[:3, axis] *= -1
    return affine, (shape[0], shape[1])


def stack_cine(positions: Sequence[float] = EVEN, *, how: str = "", size: tuple[int, int] = (56, 46)) -> Cine:
    """A short-axis stack; the first slice is `positions[0]` along the axis, from 30 mm below the centre."""
    at = np.asarray(positions, dtype=np.float64)
    affine = plane_affine(AXIS, step_mm=float(at[-1] / (len(at) - 1)), size=size, pixel_mm=2.0)
    affine[:3, 3] -= AXIS * 30
    affine, shape = flipped(affine, size, how)
    return _imaged(
        Cine(
            array=np.zeros((*shape, len(at), N_FRAMES), np.float32),
            affine=affine,
            view=View.SAX,
            slice_positions_mm=at,
            frame_times_ms=np.arange(N_FRAMES) * 100.0,
            rr_interval_ms=100.0 * N_FRAMES,
            slice_thickness_mm=8.0,
        )
    )


def long_axis_cine(*, how: str = "", size: tuple[int, int] = (60, 50)) -> Cine:
    """A four-chamber plane: it holds the axis and cuts both ventricles."""
    affine, shape = flipped(plane_affine(np.cross(AXIS, RIGHT), step_mm=8.0, size=size, pixel_mm=2.0), size, how)
    return _imaged(
        Cine(
            array=np.zeros((*shape, 1, N_FRAMES), np.float32),
            affine=affine,
            view=View.LAX_4C,
            slice_positions_mm=np.zeros(1),
            frame_times_ms=np.arange(N_FRAMES) * 100.0,
            rr_interval_ms=100.0 * N_FRAMES,
            slice_thickness_mm=8.0,
        )
    )


def voxel_points(cine: Cine) -> NDArray[np.float64]:
    """(x, y, z, 3) centre of every voxel, RAS mm; the slices at their true positions."""
    n_x, n_y = cine.shape[:2]
    normal = cine.affine[:3, 2] / np.linalg.norm(cine.affine[:3, 2])
    origins = cine.affine[:3, 3] + cine.slice_positions_mm[:, None] * normal
    i, j = np.meshgrid(np.arange(n_x), np.arange(n_y), indexing="ij")
    in_plane = i[..., None] * cine.affine[:3, 0] + j[..., None] * cine.affine[:3, 1]
    return in_plane[:, :, None] + origins[None, None]


def labels_of(cine: Cine) -> LabelMap:
    """The heart's labels on the cine's grid."""
    points = voxel_points(cine)
    return LabelMap(array=np.stack([heart_labels(points, t) for t in range(cine.n_frames)], axis=-1))


def chambers_of(cine: Cine) -> LabelMap:
    """The heart's labels and, beyond its base, two atria at rest: codes 4 left and 5 right."""
    points, array = voxel_points(cine), labels_of(cine).array
    for code, offset in ((4, AXIS * 48), (5, AXIS * 42 + RIGHT * 30)):
        inside = np.linalg.norm(points - CENTRE - offset, axis=-1) < 13
        array[inside[..., None] & (array == 0)] = code
    return LabelMap(array=array, scheme="chambers")


def with_atria(analysis: Analysis) -> Analysis:
    """The same analysis by a model that outlines the atria in the long axes, measured anew."""
    predictions = {
        view: replace(one, labels=chambers_of(analysis.study[view])) if view.is_long_axis else one
        for view, one in analysis.predictions.items()
    }
    labels = {view: one.labels for view, one in predictions.items()}
    return replace(analysis, predictions=predictions, measurements=measure_masks(analysis.study, labels))


def _imaged(cine: Cine) -> Cine:
    brightness = np.array([60, 700, 250, 720], np.float32)
    return cine.with_array(brightness[labels_of(cine).array])


def write_study(
    folder: Path, *cines: Cine, shape: DicomShape = DicomShape.SERIES_PER_SLICE, identity: bool = False
) -> Path:
    """Write cines as DICOM; with `identity` a made-up patient replaces the synthetic one."""
    subject = Subject(sex="F", age_years=50, height_cm=165, weight_kg=60, heart_rate_bpm=75)
    write_dicom(Study(name="heart", cines=cines, subject=subject), folder, shape=shape)
    if identity:
        set_elements(folder, **IDENTITY)
    return folder


def set_elements(folder: Path, **elements: object) -> None:
    """Set elements in every file; None deletes one."""
    from pydicom import dcmread

    for path in sorted(folder.rglob("*.dcm")):
        dataset = dcmread(path)
        for keyword, value in elements.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        dataset.save_as(path)


def analysed(folder: Path, *, views: Sequence[View] = (View.SAX, View.LAX_4C)) -> Analysis:
    """The analysis of a written study, with the heart's own labels as predictions."""
    study = read_study(folder)
    cines = tuple(replace(cine, view=View.SAX if cine.n_slices > 2 else View.LAX_4C) for cine in study.cines)
    study = replace(study, cines=tuple(cine for cine in cines if cine.view in views))
    predictions = {
        cine.view: Prediction(
            view=cine.view,
            labels=labels_of(cine),
            confidence=np.ones(cine.n_frames, np.float32),
            location=HeartLocation(centre=(10.0, 10.0), method="given"),
            model="test-model",
        )
        for cine in study.cines
    }
    return Analysis(
        study=study,
        predictions=predictions,
        measurements=measure_masks(study, {view: one.labels for view, one in predictions.items()}),
        run=RunFacts(
            model_name="test-model", model_hash="ab" * 32, device="cpu", precision="fp32", input_sha256="cd" * 32
        ),
    )


def hinge(side: float, travel_mm: float = 0.0) -> tuple[float, float, float]:
    """A mitral hinge point, RAS mm: at `side` -1 or 1 of the axis, moved towards the apex."""
    x, y, z = CENTRE + AXIS * (25 - travel_mm) + RIGHT * 15 * side
    return float(x), float(y), float(z)


def found_points(*, confidence: float = 0.9, view: View = View.LAX_4C) -> LandmarkPrediction:
    """Hinges 30 mm apart that move 12 mm towards an apex at rest, at most in frame 4."""
    travel = 6 * (1 - np.cos(2 * np.pi * np.arange(N_FRAMES) / N_FRAMES))
    hinges = [np.array([hinge(side, one) for one in travel]) for side in (-1, 1)]
    apex = np.tile(CENTRE - AXIS * 45, (N_FRAMES, 1))
    points = dict(zip(LANDMARKS[view], [*hinges, apex], strict=True))
    return LandmarkPrediction(
        landmarks=Landmarks(view=view, points=points),
        confidence={name: np.full(N_FRAMES, confidence) for name in points},
        centre=(10.0, 10.0),
        model="test-lax",
    )
