"""A small beating heart of known geometry in six slices: a ventricle with its wall, another beside it.

Made once a session: a test that wants it otherwise makes its own of it by `replace`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Flag, HeartLocation, Measurement, Measurements, Prediction, RemovedComponent
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Issue, SeriesDecision, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine

HeartLabels = Callable[[tuple[int, int, int, int]], NDArray[np.uint8]]

N_FRAMES, N_SLICES = 8, 6
ED, ES = 0, 4


def heart_labels(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Circles around voxels (30, 40) and (18, 40) whose radii follow the cycle, smallest in the middle."""
    n_x, n_y, n_z, n_t = shape
    x, y = np.meshgrid(np.arange(n_x), np.arange(n_y), indexing="ij")
    labels = np.zeros(shape, np.uint8)
    for z in range(n_z):
        for t in range(n_t):
            beat = (1 - 0.3 * np.sin(np.pi * t / n_t) ** 2) * (1 - 0.08 * z)
            labels[..., z, t][np.hypot(x - 18, y - 40) < 10 * beat] = 1
            labels[..., z, t][np.hypot(x - 30, y - 40) < 9 * beat + 3] = 2
            labels[..., z, t][np.hypot(x - 30, y - 40) < 9 * beat] = 3
    return labels


def cine_of(view: View, array: NDArray[np.float32], *, affine: NDArray[np.float64], label: str = "") -> Cine:
    """A cine with 40 ms a frame and slices evenly spaced along the affine's third column."""
    step = float(np.linalg.norm(affine[:3, 2]))
    return Cine(
        array=array,
        affine=affine,
        view=view,
        slice_positions_mm=np.arange(array.shape[2]) * step,
        frame_times_ms=np.arange(array.shape[3]) * 40.0,
        label=label,
    )


def measured(name: str, value: float | None, unit: str, frames: tuple[int, ...] = ()) -> Measurement:
    """A measurement with made-up words around it."""
    return Measurement(
        name=name,
        title=name.replace("_", " "),
        value=value,
        unit=unit,
        method="sum of slices",
        rule=f"rule of {unit}",
        frames=frames,
        slices=tuple(range(N_SLICES)) if frames else (),
        reason="not known" if value is None else None,
    )


@pytest.fixture(name="heart_labels", scope="session")
def heart_labels_fixture() -> HeartLabels:
    return heart_labels


@pytest.fixture(scope="session")
def study() -> Study:
    labels = heart_labels((64, 80, N_SLICES, N_FRAMES))
    image = np.choose(labels, [20.0, 180.0, 60.0, 200.0]).astype(np.float32)
    sax = cine_of(View.SAX, image, affine=np.diag([1.5, 1.5, 8.0, 1.0]), label="series 3")
    # Cuts the short axis through (x = 45 mm), so that its picture's columns run along y and its rows along z.
    plane = np.array([[0, 0, 6.0, 45], [1.5, 0, 0, 0], [0, -1.5, 0, 90], [0, 0, 0, 1]])
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 100, (96, 90, 1, N_FRAMES)).astype(np.float32)
    lax = cine_of(View.LAX_4C, noise, affine=plane, label="series 4")
    decisions = (
        SeriesDecision(series="series 3", view=View.SAX, kept=True, reason="parallel", evidence={"n_slices": 6}),
        SeriesDecision(series="series 4", view=View.LAX_4C, kept=True, reason="holds the axis"),
        SeriesDecision(series="series 9", view=None, kept=False, reason="a localizer", evidence={"angle": None}),
    )
    return Study(
        name="study7",
        cines=(lax, sax),
        subject=Subject(sex="F", age_years=61, height_cm=165, weight_kg=60, heart_rate_bpm=64),
        decisions=decisions,
        issues=(Issue(code="missing-frame", severity="warning", message="frame 3 was missing"),),
    )


@pytest.fixture(scope="session")
def predictions(study: Study) -> dict[View, Prediction]:
    cine = study.cine(View.SAX)
    confidence = np.full(N_FRAMES, 0.9, np.float32)
    confidence[-1] = np.nan
    prediction = Prediction(
        view=View.SAX,
        labels=LabelMap(array=heart_labels((64, 80, N_SLICES, N_FRAMES))),
        confidence=confidence,
        location=HeartLocation(centre=(28.0, 40.0), method="motion", evidence={"energy": float("nan")}),
        removed_components=(RemovedComponent(structure="rv", frame=2, volume_ml=0.4),),
        model="small",
    )
    assert prediction.labels.array.shape == cine.array.shape
    return {View.SAX: prediction}


@pytest.fixture(scope="session")
def measurements() -> Measurements:
    times = np.arange(N_FRAMES) * 40.0
    lv = 100 - 40 * np.sin(np.pi * np.arange(N_FRAMES) / N_FRAMES) ** 2
    rv = lv + 15
    rv[-1] = np.nan
    values = (
        measured("lv_edv_ml", 100.0, "ml", (ED,)),
        measured("lv_esv_ml", 60.0, "ml", (ES,)),
        measured("lv_sv_ml", 40.0, "ml", (ED, ES)),
        measured("lv_ef_percent", 40.0, "%", (ED, ES)),
        measured("lv_mass_g", 88.2, "g", (ED,)),
        measured("rv_edv_ml", 115.0, "ml", (1,)),
        measured("rv_ef_percent", None, "%"),
        measured("lv_edvi_ml_m2", 61.4, "ml/m2", (ED,)),
        *(measured(f"wall_thickness_ed_mm_aha{n:02d}", 5.0 + n / 2, "mm", (ED,)) for n in range(1, 16)),
        measured("wall_thickness_ed_mm_aha16", None, "mm"),
    )
    flags = (
        Flag(code="few-slices", severity="info", message="six slices", evidence={"n_slices": 6}),
        Flag(code="sv-mismatch", severity="error", message="stroke volumes differ", evidence={"share": 0.5}),
    )
    curves = {"lv_volume_ml": lv, "rv_volume_ml": rv, "myo_volume_ml": np.full(N_FRAMES, 84.0)}
    return Measurements(measured=values, curves=curves, times_ms=times, flags=flags)


@pytest.fixture(scope="session")
def run() -> RunFacts:
    return RunFacts(
        model_name="small",
        model_hash="ab" * 32,
        device="cpu",
        precision="fp32",
        seconds={"read": 0.5, "predict": 3.25},
    )


@pytest.fixture(scope="session")
def analysis(study: Study, predictions: dict[View, Prediction], measurements: Measurements, run: RunFacts) -> Analysis:
    return Analysis(study=study, predictions=predictions, measurements=measurements, run=run)


@pytest.fixture(scope="session")
def bare(study: Study, run: RunFacts) -> Analysis:
    """The study without predictions and measurements."""
    return Analysis(study=study, predictions={}, measurements=Measurements(), run=run)
