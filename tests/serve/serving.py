"""A results folder made without a model, and a client of an application that serves it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from fastapi.testclient import TestClient
from interop_hearts import analysed, chambers_of, found_points, labels_of, long_axis_cine, stack_cine, write_study

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, LandmarkPrediction, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.measure.measure import measure_masks
from cinema_cmr.report.write import write_results
from cinema_cmr.serve.application import make_app
from cinema_cmr.serve.server_settings import Limits, ServeSettings

TOKEN = "a-token-of-this-test"
HOST = "127.0.0.1:8420"
ORIGIN = f"http://{HOST}"
STUB = (sys.executable, str(Path(__file__).with_name("stub_worker.py")))
"""A worker that copies finished results: as fast as a test needs, as killable as the true one."""


def finished_results(folder: Path, name: str = "results") -> Path:
    """Results of a phantom with a stack of six slices and a 4-chamber view, with images."""
    study = write_study(folder / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    write_results(analysed(study), folder / name, images=True)
    return folder / name


def scar_results(folder: Path, name: str = "late") -> Path:
    """Results of a late-enhancement stack of six slices and one frame, whose wall holds an infarct with a core."""
    whole = stack_cine()
    cine = replace(whole.select(frames=[0]), rr_interval_ms=None, frame_times_ms=None)
    heart = labels_of(whole).array[..., :1]
    codes = np.array([0, 0, 2, 1], np.uint8)[heart]
    wall = codes == 2
    right = np.arange(cine.shape[0])[:, None, None, None] > cine.shape[0] // 2
    codes[wall & right] = 3
    codes[wall & right & (np.arange(cine.shape[1])[:, None, None] == cine.shape[1] // 2)] = 4
    study = Study(name="late", cines=(cine,), modality="lge")
    return _written(folder / name, study, {View.SAX: LabelMap(array=codes, scheme="scar")})


def uneven_results(folder: Path, name: str = "uneven") -> Path:
    """Results of a stack of eight frames and a 4-chamber view of twelve."""
    stack, plane = stack_cine(), long_axis_cine()
    frames = np.arange(12) * 8 // 12
    longer = replace(plane, array=plane.array[..., frames], frame_times_ms=np.arange(12) * 800.0 / 12)
    masks = {View.SAX: labels_of(stack), View.LAX_4C: LabelMap(array=labels_of(plane).array[..., frames])}
    return _written(folder / name, Study(name="uneven", cines=(stack, longer)), masks)


def chamber_results(folder: Path, name: str = "chambers") -> Path:
    """Results of the phantom by a model that outlines the atria in its 4-chamber view."""
    study = Study(name="chambers", cines=(stack_cine(), long_axis_cine()))
    masks = {cine.view: chambers_of(cine) if cine.view.is_long_axis else labels_of(cine) for cine in study.cines}
    return _written(folder / name, study, masks)


def landmark_results(folder: Path, name: str = "landmarks", *, views: Sequence[View] = (View.LAX_4C,)) -> Path:
    """Results of the phantom with hinge points and apex in its 4-chamber view, or in copies of it as other views."""
    planes = (replace(long_axis_cine(), view=view) for view in views)
    study = Study(name="landmarks", cines=(stack_cine(), *planes))
    masks = {cine.view: labels_of(cine) for cine in study.cines}
    return _written(folder / name, study, masks, {view: found_points(view=view) for view in views})


def _written(
    folder: Path,
    study: Study,
    masks: Mapping[View, LabelMap],
    landmarks: Mapping[View, LandmarkPrediction] = MappingProxyType({}),
) -> Path:
    """Write the results of a study with these masks as a model's own."""
    predictions = {
        view: Prediction(
            view=view,
            labels=labels,
            confidence=np.ones(labels.array.shape[3], np.float32),
            location=HeartLocation(centre=(10.0, 10.0), method="given"),
            model="test-model",
        )
        for view, labels in masks.items()
    }
    analysis = Analysis(
        study=study,
        predictions=predictions,
        measurements=measure_masks(study, masks, landmarks={view: one.landmarks for view, one in landmarks.items()}),
        landmarks=landmarks,
        run=RunFacts(model_name="m", model_hash="ab" * 32, device="cpu", precision="fp32", input_sha256="ef" * 32),
    )
    write_results(analysis, folder, images=True)
    return folder


def settings_of(home: Path, *results: Path, **changes: object) -> ServeSettings:
    """Settings with a known token."""
    return ServeSettings(home=home, results=results, token=TOKEN, **changes)  # type: ignore[arg-type]


@contextmanager
def client_of(
    home: Path, *results: Path, limits: Limits | None = None, command: tuple[str, ...] = STUB, bearer: bool = True
) -> Iterator[TestClient]:
    """A client of a running application."""
    app = make_app(settings_of(home, *results, limits=limits or Limits(), command=command))
    headers = {"authorization": f"Bearer {TOKEN}"} if bearer else {}
    with TestClient(app, base_url=ORIGIN, headers=headers) as client:
        yield client
