"""A study written as NIfTI files is read back with its views, geometry, times and intensities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nibabel.quaternions import angle_axis2mat

from cinema_cmr.core.errors import GeometryError, OutputExistsError, UsageError
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.study import write_nifti_study
from cinema_cmr.io.read import read_study

STEP_MS = 36.5
VIEWS = (View.SAX, View.LAX_2C, View.LAX_3C, View.LAX_4C)


def oblique_cine(view: View) -> Cine:
    rng = np.random.default_rng(VIEWS.index(view))
    n_slices = 4 if view is View.SAX else 1
    affine = np.eye(4)
    affine[:3, :3] = angle_axis2mat(0.7 + VIEWS.index(view), [1, -2, 0.5]) @ np.diag([1.6, 1.4, 9.5])
    affine[:3, 3] = rng.uniform(-90, 90, 3)
    return Cine(
        array=rng.normal(200, 60, (24, 30, n_slices, 10)).astype(np.float32),
        affine=affine,
        view=view,
        slice_positions_mm=np.arange(n_slices) * 9.5,
        frame_times_ms=np.arange(10) * STEP_MS * 2,
        rr_interval_ms=20 * STEP_MS,
    )


@pytest.fixture(scope="module")
def study() -> Study:
    subject = Subject(sex="M", age_years=44, height_cm=181.5, weight_kg=83.2)
    return Study(name="written", cines=tuple(map(oblique_cine, VIEWS)), subject=subject)


def test_a_study_comes_back_with_its_views(tmp_path: Path, study: Study) -> None:
    read = read_study(write_nifti_study(study, tmp_path / "written"))
    assert {cine.view for cine in read.cines} == set(VIEWS)
    assert [issue for issue in read.issues if issue.severity != "info"] == []
    assert read.subject == Subject(height_cm=181.5, weight_kg=83.2)
    for cine in study.cines:
        own = read.cine(cine.view)
        np.testing.assert_allclose(own.array, cine.array, atol=0.51 * np.ptp(cine.array) / 32767)
        np.testing.assert_allclose(own.affine, cine.affine, atol=1e-5)
        np.testing.assert_allclose(own.slice_positions_mm, cine.slice_positions_mm, atol=1e-5)
        np.testing.assert_allclose(own.frame_times_ms, cine.frame_times_ms, atol=1e-4)
        assert own.rr_interval_ms == pytest.approx(cine.rr_interval_ms)


def test_whole_numbers_come_back_exactly_and_bytes_repeat(tmp_path: Path, study: Study) -> None:
    whole = replace(study, cines=tuple(cine.with_array(np.rint(abs(cine.array))) for cine in study.cines))
    one, two = (write_nifti_study(whole, tmp_path / name) for name in ("one", "two"))
    for cine in whole.cines:
        np.testing.assert_array_equal(read_study(one).cine(cine.view).array, cine.array)
        assert (one / f"{cine.view}.nii.gz").read_bytes() == (two / f"{cine.view}.nii.gz").read_bytes()


def test_unknown_times_stay_unknown(tmp_path: Path, study: Study) -> None:
    cine = replace(study.cines[0], frame_times_ms=None, rr_interval_ms=None)
    read = read_study(write_nifti_study(Study(name="bare", cines=(cine,)), tmp_path / "bare"))
    assert (read.cines[0].frame_times_ms, read.cines[0].rr_interval_ms) == (None, None)
    assert read.subject == Subject()


def test_a_study_that_nifti_cannot_represent_is_refused_and_leaves_nothing(tmp_path: Path, study: Study) -> None:
    sax = study.cines[0]
    uneven = replace(sax, slice_positions_mm=np.array([0, 9.5, 19.0, 34.0]))
    other, lost = replace(sax, view=View.OTHER), replace(sax, orientation_known=False)
    for bad, error in ((uneven, GeometryError), (other, UsageError), (lost, GeometryError)):
        with pytest.raises(error):
            write_nifti_study(Study(name="bad", cines=(bad,)), tmp_path / "bad")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_kept(tmp_path: Path, study: Study) -> None:
    folder = write_nifti_study(study, tmp_path / "written")
    with pytest.raises(OutputExistsError):
        write_nifti_study(study, folder)
    write_nifti_study(study, folder, overwrite=True)
