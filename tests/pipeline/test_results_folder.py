"""A results folder read back without its study: exact images where they are, the grid alone where not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from corrected_results import heart_study, stored_labels, written_results

from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.pipeline.results_folder import read_results


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    return written_results(tmp_path / "results")


def test_cines_come_back_with_grid_times_and_image(results: Path) -> None:
    study = read_results(results).study
    for cine in heart_study():
        read = study[cine.view]
        np.testing.assert_array_equal(read.array, cine.array)
        np.testing.assert_allclose(read.affine, cine.affine, rtol=0, atol=1e-4)
        np.testing.assert_allclose(read.slice_positions_mm, cine.slice_positions_mm)
        assert read.source is None and (read.label, read.slice_thickness_mm) == (cine.label, cine.slice_thickness_mm)
    image, mask = (nibabel.load(results / part / "sax.nii.gz") for part in ("images", "segmentation"))
    assert image.shape == mask.shape and np.array_equal(image.affine, mask.affine)
    assert image.get_data_dtype() == np.int16


def test_without_images_only_grids_come_back(results: Path) -> None:
    (results / "images" / "lax_4c.nii.gz").unlink()
    stored = read_results(results)
    lax = stored.study[View.LAX_4C]
    assert not lax.has_image and stored.study[View.SAX].has_image
    np.testing.assert_allclose(lax.affine, heart_study()[View.LAX_4C].affine, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(
        stored.labels(View.LAX_4C, stored.model_mask(View.LAX_4C)), stored_labels(results, View.LAX_4C)
    )


def test_an_image_on_another_grid_and_of_another_view_is_refused(results: Path, tmp_path: Path) -> None:
    cine = heart_study()[View.SAX]
    moved, part = tmp_path / "moved.nii.gz", tmp_path / "part.nii.gz"
    write_cine(replace(cine, affine=cine.affine @ np.array([[1, 0, 0, 3.0], *np.eye(4)[1:]])), moved)
    write_cine(cine.select(frames=[0, 1]), part)
    with pytest.raises(GeometryError, match="mm from the mask"):
        read_results(results, {View.SAX: moved})
    with pytest.raises(GeometryError, match="has shape"):
        read_results(results, {View.SAX: part})
    with pytest.raises(InputError, match="of which 'heart' has no mask"):
        read_results(results, {View.LAX_2C: part})


def test_an_incomplete_folder_is_refused(results: Path) -> None:
    (results / "segmentation" / "sax.nii.gz").unlink()
    with pytest.raises(MissingFileError, match=r"no segmentation/sax\.nii\.gz"):
        read_results(results)
    (results / "run.json").unlink()
    with pytest.raises(MissingFileError, match=r"no run\.json"):
        read_results(results)
