"""Segmentations of scanners' own studies refer to the very images that were segmented, on their very planes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from dicom_tools import validation_errors
from pydicom import dcmread

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.interop.export import export_analysis
from cinema_cmr.interop.study_files import dicom_files
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.measure import measure_masks

pytest.importorskip("highdicom")
pytestmark = [pytest.mark.realdata, pytest.mark.slow]

CODES = {"RV blood pool": 1, "LV myocardium": 2, "LV blood pool": 3}
STUDIES = ["multiview_dicom/study", *(f"sunnybrook/{name}" for name in ("SCD0000101", "SCD0000301", "SCD0000501"))]


def source_of(data: Path, name: str) -> Path:
    source = data / name
    return next(source.glob("*.zip")) if name.startswith("sunnybrook") else source


def rings(cine: Cine) -> LabelMap:
    """Labels that differ between slices, frames and image axes: a wrong place cannot look right."""
    x, y, z, t = np.indices(cine.shape)
    off = np.hypot(x - cine.shape[0] * 0.4 - z, y - cine.shape[1] * 0.6 + t)
    return LabelMap(array=np.select([off < 10, off < 15, (off < 25) & (x > y)], [3, 2, 1], 0).astype(np.uint8))


def analysis_of(study: Study) -> Analysis:
    predictions = {
        cine.view: Prediction(
            view=cine.view,
            labels=rings(cine),
            confidence=np.ones(cine.n_frames, np.float32),
            location=HeartLocation(centre=(0, 0), method="given"),
        )
        for cine in study
        if cine.view is not View.OTHER
    }
    measurements = measure_masks(study, {view: one.labels for view, one in predictions.items()})
    run = RunFacts(model_name="rings", model_hash="0" * 64, device="cpu", precision="fp32")
    return Analysis(study=study, predictions=predictions, measurements=measurements, run=run)


@pytest.mark.parametrize("name", STUDIES)
def test_segmentations_of_a_scanner_s_study(real_data: Path, tmp_path: Path, name: str) -> None:
    source = source_of(real_data, name)
    study = read_study(source)
    analysis = analysis_of(study)
    export_analysis(analysis, source, tmp_path / "dicom", phases="all")
    with dicom_files(source) as paths, quiet_pydicom():
        images = {one.SOPInstanceUID: one for one in map(dcmread, paths)}
    paths = sorted((tmp_path / "dicom").glob("seg_*.dcm"))
    assert len(paths) == sum(study[view].n_frames for view in analysis.predictions)
    for path in paths:
        view, frame = View(path.stem[4:-4]), int(path.stem[-3:])
        mask = analysis.predictions[view].labels.array[..., frame]
        with quiet_pydicom():  # some identifiers of real archives are not quite valid
            check_frames(dcmread(path), images, study[view], mask, frame)
    chosen = [*paths[:: max(1, len(paths) // 6)], tmp_path / "dicom" / "sr.dcm"]
    # Sunnybrook's own identifiers have components that begin with 0; a reference must repeat them.
    with quiet_pydicom():
        keywords = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
        uids = {str(one.get(keyword)) for one in images.values() for keyword in keywords}
    invalid = {uid for uid in uids if re.search(r"\.0\d", uid)}
    errors = validation_errors(*chosen)
    assert [line for line in errors if not any(uid in line for uid in invalid)] == []


def check_frames(dataset: object, images: dict[str, object], cine: Cine, mask: np.ndarray, frame: int) -> None:
    """Each frame lies on the plane of its source, whose pixels are those of the cine where the mask was drawn."""
    assert cine.sources is not None
    rows = {row[frame].instance_uid: k for k, row in enumerate(cine.sources.images) if row[frame]}
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    orientation = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    seen = np.zeros_like(mask)
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        uid = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        source, k = images[uid], rows[uid]
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        np.testing.assert_allclose(position, np.array(source.ImagePositionPatient, float), atol=1e-4)
        np.testing.assert_allclose(np.array(orientation, float), source.ImageOrientationPatient, atol=1e-4)
        slope, intercept = float(source.get("RescaleSlope", 1)), float(source.get("RescaleIntercept", 0))
        np.testing.assert_allclose(source.pixel_array.T * slope + intercept, cine.array[:, :, k, frame], rtol=1e-5)
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        code = CODES[dataset.SegmentSequence[number - 1].SegmentLabel]
        seen[:, :, k][pixels[index].T > 0] = code
    np.testing.assert_array_equal(seen, mask)
