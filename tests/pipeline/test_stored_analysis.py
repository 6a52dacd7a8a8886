"""A finished run is read back as the analysis it was; edited masks are measured again; other inputs are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from interop_hearts import analysed, long_axis_cine, stack_cine, with_atria, write_study

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.pipeline.results_folder import read_results
from cinema_cmr.pipeline.stored_analysis import read_analysis
from cinema_cmr.report.write import write_results

pytestmark = pytest.mark.medium


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Analysis, Path, Path]:
    study = write_study(tmp_path / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    analysis = analysed(study)
    analysis = replace(analysis, run=replace(analysis.run, input_sha256=input_digest(study)))
    write_results(analysis, tmp_path / "results")
    return analysis, study, tmp_path / "results"


def test_the_same_masks_numbers_and_sources(stored: tuple[Analysis, Path, Path]) -> None:
    analysis, study, results = stored
    read = read_analysis(results, study)
    assert list(read.predictions) == [View.SAX, View.LAX_4C]
    for view, prediction in analysis.predictions.items():
        np.testing.assert_array_equal(read.predictions[view].labels.array, prediction.labels.array)
        sources, expected = read.study[view].sources, analysis.study[view].sources
        assert sources is not None and expected is not None and sources.images == expected.images
    assert {name: one.rule for name, one in read.measurements.items()} == {
        name: one.rule for name, one in analysis.measurements.items()
    }
    assert [flag.code for flag in read.measurements.flags] == [flag.code for flag in analysis.measurements.flags]
    assert read.measurements.value("lv_edv_ml") == pytest.approx(analysis.measurements.value("lv_edv_ml"), rel=1e-5)
    assert read.run.model_hash == analysis.run.model_hash


def test_the_atria_of_a_long_axis_are_read_back(stored: tuple[Analysis, Path, Path]) -> None:
    analysis, study, results = stored
    chambers = with_atria(analysis)
    assert read_analysis(results, study).predictions[View.LAX_4C].labels.scheme == "cine"
    write_results(chambers, results, overwrite=True)
    read = read_analysis(results, study).predictions
    for view, scheme in ((View.SAX, "cine"), (View.LAX_4C, "chambers")):
        assert read[view].labels.scheme == scheme
        np.testing.assert_array_equal(read[view].labels.array, chambers.predictions[view].labels.array)


def test_an_edited_mask_is_measured_again(stored: tuple[Analysis, Path, Path]) -> None:
    analysis, study, results = stored
    path = results / "segmentation" / "sax.nii.gz"
    image = nibabel.load(path)
    labels = np.asarray(image.dataobj).astype(np.uint8)
    labels[labels == 3] = np.where(np.arange((labels == 3).sum()) % 2, 3, 2)
    nibabel.Nifti1Image(labels, image.affine).to_filename(path)
    read = read_analysis(results, study)
    before, after = analysis.measurements.value("lv_edv_ml"), read.measurements.value("lv_edv_ml")
    assert before is not None and after is not None and after < 0.7 * before
    assert "masks-edited" in [flag.code for flag in read.measurements.flags]


def test_masks_of_results_without_hashes_count_as_they_are(stored: tuple[Analysis, Path, Path]) -> None:
    """As for `cinema remeasure`: a version without hashes does not make masks edited."""
    _, study, results = stored
    run = json.loads((results / "run.json").read_text())
    run["outputs"] = {}
    (results / "run.json").write_text(json.dumps(run))
    assert "masks-edited" not in [flag.code for flag in read_analysis(results, study).measurements.flags]
    assert not read_results(results).is_changed(View.SAX)


def test_a_turned_mask_is_refused(stored: tuple[Analysis, Path, Path]) -> None:
    _, study, results = stored
    path = results / "segmentation" / "sax.nii.gz"
    image = nibabel.load(path)
    affine = image.affine.copy()
    affine[:3, 0] *= -1
    nibabel.Nifti1Image(np.asarray(image.dataobj).astype(np.uint8), affine).to_filename(path)
    with pytest.raises(GeometryError, match="from its cine"):
        read_analysis(results, study)


def test_another_study_and_an_incomplete_folder_are_refused(
    stored: tuple[Analysis, Path, Path], tmp_path: Path
) -> None:
    _, study, results = stored
    other = write_study(tmp_path / "other", stack_cine(how="i"), shape=DicomShape.ENHANCED)
    with pytest.raises(InputError, match="not the input of the results"):
        read_analysis(results, other)
    (results / "segmentation" / "sax.nii.gz").unlink()
    with pytest.raises(MissingFileError, match=r"segmentation/sax\.nii\.gz"):
        read_analysis(results, study)
    (results / "run.json").unlink()
    with pytest.raises(MissingFileError, match=r"no run\.json"):
        read_analysis(results, study)
