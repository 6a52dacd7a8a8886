"""Simple hearts with known truth: a half-ellipsoid of LV blood in a wall of even thickness, with an RV
beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.results import HeartLocation, Measurements, Prediction
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.function import Chamber
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.measure.phases import Phases
from cinema_cmr.measure.quality.context import QualityContext
from cinema_cmr.measure.volumes import measure_volumes

RV, MYO, LV = 1, 2, 3
LENGTH_MM = 80.0
RADIUS_MM = 24.0
WALL_MM = 9.0
STANDARD_AXES = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
"""RAS directions of x, y and z in an ordinary display: x to the left, y to the back, slices to the feet."""


def cine_of(
    array_shape: Sequence[int],
    spacing_mm: Sequence[float] = (1.5, 1.5, 8.0),
    *,
    positions_mm: NDArray[np.float64] | None = None,
    axes: NDArray[np.float64] = STANDARD_AXES,
    times_ms: NDArray[np.float64] | None = None,
    rr_ms: float | None = None,
    oriented: bool = False,
    view: View = View.SAX,
) -> Cine:
    """A cine without intensities on the grid asked for."""
    affine = np.eye(4)
    affine[:3, :3] = axes.T * np.asarray(spacing_mm)
    return Cine(
        array=np.zeros(tuple(array_shape), dtype=np.float32),
        affine=affine,
        view=view,
        slice_positions_mm=np.arange(array_shape[2]) * spacing_mm[2] if positions_mm is None else positions_mm,
        frame_times_ms=times_ms,
        rr_interval_ms=rr_ms,
        orientation_known=oriented,
    )


def heart_slice(
    radius_mm: float, wall_mm: float, rv_mm: float, pixel_mm: Sequence[float], shape: Sequence[int]
) -> NDArray[np.uint8]:
    """One slice: a round LV in a round wall in the middle, the RV a disc behind it towards smaller x."""
    x = (np.arange(shape[0]) - shape[0] // 2)[:, None] * pixel_mm[0]
    y = (np.arange(shape[1]) - shape[1] // 2)[None, :] * pixel_mm[1]
    from_centre = np.hypot(x, y)
    outer = radius_mm + wall_mm
    plane = np.zeros(tuple(shape), dtype=np.uint8)
    if rv_mm > 0:
        plane[np.hypot(x + outer, y) < rv_mm] = RV
    plane[from_centre < outer] = MYO
    plane[from_centre < radius_mm] = LV
    return plane


def heart(
    scales: Sequence[float] = (1.0, 0.7),
    *,
    spacing_mm: Sequence[float] = (1.5, 1.5, 8.0),
    positions_mm: NDArray[np.float64] | None = None,
    shape: tuple[int, int] = (100, 80),
    oriented: bool = False,
    times_ms: NDArray[np.float64] | None = None,
    rr_ms: float | None = None,
    descent_mm: float = 0.0,
) -> tuple[Cine, LabelMap]:
    """A beating heart whose LV radius, frame by frame, is scaled; the wall keeps its area. The first slice
    is basal; the mitral valve descends from z = 0 by `descent_mm` at a scale of 0.7, in proportion before:
    slices beyond it have no LV blood."""
    positions = np.arange(10) * spacing_mm[2] if positions_mm is None else positions_mm
    frames = [np.stack([_at_height(scale, z, spacing_mm, shape) for z in positions], axis=2) for scale in scales]
    for frame, scale in zip(frames, scales, strict=True):
        beyond = frame[:, :, positions < descent_mm * (1 - scale) / 0.3]
        frame[:, :, positions < descent_mm * (1 - scale) / 0.3] = np.where(beyond == LV, 0, beyond)
    labels = LabelMap(array=np.stack(frames, axis=3))
    cine = cine_of(
        labels.array.shape,
        spacing_mm,
        positions_mm=np.asarray(positions, dtype=np.float64),
        oriented=oriented,
        times_ms=times_ms,
        rr_ms=rr_ms,
    )
    return cine, labels


def _at_height(scale: float, z: float, spacing_mm: Sequence[float], shape: tuple[int, int]) -> NDArray[np.uint8]:
    share = np.sqrt(max(0.0, 1 - (z / LENGTH_MM) ** 2))
    radius = RADIUS_MM * scale * share
    outer = np.hypot(radius, np.sqrt((RADIUS_MM + WALL_MM) ** 2 - RADIUS_MM**2) * (0.5 + 0.5 * share))
    rv = 33.0 * scale * max(0.0, 1 - z / LENGTH_MM)
    return heart_slice(radius, outer - radius, rv, spacing_mm, shape)


def prediction_of(labels: LabelMap, view: View = View.SAX, **facts: object) -> Prediction:
    """A prediction that is sure of itself."""
    known: dict[str, object] = {
        "confidence": np.ones(labels.array.shape[3], dtype=np.float32),
        "location": HeartLocation(centre=(0.0, 0.0), method="given"),
    }
    return Prediction(view=view, labels=labels, **{**known, **facts})  # type: ignore[arg-type]


def study_of(*cines: Cine, **facts: object) -> Study:
    """A study of these cines."""
    return Study(name="test", cines=cines, **facts)  # type: ignore[arg-type]


def measured(cine: Cine, labels: LabelMap, subject: Subject | None = None, **options: object) -> Measurements:
    """All measurements of a short-axis mask."""
    study = study_of(cine, subject=subject or Subject())
    chosen = MeasureOptions(**options)  # type: ignore[arg-type]
    return measure_study(study, {View.SAX: prediction_of(labels)}, options=chosen)


def chamber_of(volumes_ml: Sequence[float], phases: Phases, name: str = "lv") -> Chamber:
    """A chamber with this curve, counted in two slices."""
    counted = np.ones((2, len(volumes_ml)), dtype=bool)
    curve = np.asarray(volumes_ml, dtype=np.float64)
    return Chamber(name=name, volumes_ml=curve, counted=counted, phases=phases, rule="all")  # type: ignore[arg-type]


def context_of(
    cine: Cine, labels: LabelMap, *, landmarks: Mapping[View, Landmarks] | None = None, **prediction: object
) -> QualityContext:
    """What the quality checks see of a short-axis mask."""
    found = measured(cine, labels)

    def phases(ventricle: str) -> Phases:
        ed, es = (found.value(f"{ventricle}_{phase}_frame") for phase in ("ed", "es"))
        return Phases(ed=None if ed is None else int(ed), es=None if es is None else int(es), rule="")

    return QualityContext(
        study=study_of(cine),
        cine=cine,
        labels=labels,
        prediction=prediction_of(labels, **prediction),  # type: ignore[arg-type]
        volumes=measure_volumes(cine, labels),
        lv=phases("lv"),
        rv=phases("rv"),
        values=found,
        landmarks=landmarks or {},
    )


def acdc_patient(folder: Path, number: int) -> tuple[Cine, LabelMap, dict[str, str]]:
    """The expert labels of one ACDC patient at ED and ES, in this order, and its Info.cfg."""
    import nibabel

    name = f"patient{number:03d}"
    patient = folder / "acdc" / "database" / "training" / name
    info = dict(line.split(": ") for line in (patient / "Info.cfg").read_text().split("\n") if ": " in line)
    images = [nibabel.load(patient / f"{name}_frame{int(info[phase]):02d}_gt.nii.gz") for phase in ("ED", "ES")]
    array = np.stack([np.asarray(image.dataobj) for image in images], axis=3).astype(np.uint8)
    spacing = [float(size) for size in images[0].header.get_zooms()[:3]]
    return cine_of(array.shape, spacing), LabelMap(array=array), info


def reference_curve(folder: Path) -> NDArray[np.float64]:
    """(25,) LV volume in ml over a real cycle, from the reference contours of the volunteer's short-axis
    slices."""
    volumes = []
    for path in sorted((folder / "multiview_dicom" / "reference").glob("GPFile_*.txt")):
        contours: dict[str, list[list[float]]] = {}
        for row in (line.split("\t") for line in path.read_text().splitlines()[1:]):
            if row[3] == "SAX_LV_ENDOCARDIAL":
                contours.setdefault(row[4], []).append([float(value) for value in row[:3]])
        volumes.append(sum(_area_mm2(np.array(points)) for points in contours.values()) * 17.7 / 1000)
    return np.array(volumes)


def _area_mm2(points: NDArray[np.float64]) -> float:
    """Area inside the points of a flat, convex contour in any order."""
    centred = points - points.mean(axis=0)
    x, y = np.linalg.svd(centred, full_matrices=False)[2][:2] @ centred.T
    order = np.argsort(np.arctan2(y, x))
    x, y = x[order], y[order]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
