"""Series by what they hold where their UIDs say nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from synthetic_dicom import Heart, StudyWriter, short_axis_planes

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.files import read_headers
from cinema_cmr.io.dicom.study import read_dicom

N_SLICES, N_FRAMES = 4, 8


def study(folder: Path, edit: Callable[[Dataset, int, int], None]) -> Path:
    """A study of one series a slice, with every file edited: edit(dataset, slice, frame)."""
    for k, plane in enumerate(short_axis_planes(Heart(), n=N_SLICES)):
        for t, path in enumerate(StudyWriter(folder=folder).add([plane], series=k + 1, n_frames=N_FRAMES)):
            dataset = dcmread(path)
            edit(dataset, k, t)
            path.unlink()
            dataset.save_as(folder / f"IM{(k * N_FRAMES + t) * 37 % 97:03d}")
    return folder


def uid_a_file(dataset: Dataset, k: int, t: int) -> None:
    dataset.SeriesInstanceUID = generate_uid()


def uid_and_number_a_file(dataset: Dataset, k: int, t: int) -> None:
    dataset.SeriesInstanceUID, dataset.SeriesNumber = generate_uid(), k * N_FRAMES + t + 1


def one_uid(dataset: Dataset, k: int, t: int) -> None:
    dataset.SeriesInstanceUID = dataset.SOPInstanceUID = dataset.StudyInstanceUID = "1.2"


def no_uid(dataset: Dataset, k: int, t: int) -> None:
    del dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.StudyInstanceUID


def series_a_phase(dataset: Dataset, k: int, t: int) -> None:
    dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.InstanceNumber = f"1.2.{t + 1}", t + 1, k + 1


def series_a_phase_without_times(dataset: Dataset, k: int, t: int) -> None:
    series_a_phase(dataset, k, t)
    del dataset.TriggerTime


def half_the_phases_a_series(dataset: Dataset, k: int, t: int) -> None:
    half = 10 * (t % 2)
    dataset.SeriesInstanceUID, dataset.SeriesNumber = f"1.2.{k + 1 + half}", k + 1 + half
    dataset.CardiacNumberOfImages = N_FRAMES


@pytest.mark.medium
@pytest.mark.parametrize(
    "edit",
    [
        half_the_phases_a_series,
        uid_a_file,
        uid_and_number_a_file,
        one_uid,
        no_uid,
        series_a_phase,
        series_a_phase_without_times,
    ],
)
def test_uids_do_not_change_the_images(tmp_path: Path, edit: Callable[[Dataset, int, int], None]) -> None:
    plain = read_dicom(study(tmp_path / "plain", lambda dataset, k, t: None))[View.SAX]
    edited = read_dicom(study(tmp_path / "edited", edit))[View.SAX]
    np.testing.assert_array_equal(edited.array, plain.array)
    np.testing.assert_allclose(edited.affine, plain.affine)


def test_a_uid_a_file_is_told_once_and_series_keep_their_numbers(tmp_path: Path) -> None:
    found = read_headers(study(tmp_path, uid_a_file))
    assert sorted(found.series) == ["series 1", "series 2", "series 3", "series 4"]
    (issue,) = (one for one in found.issues if one.code == "series-regrouped")
    assert issue.severity == "info" and issue.evidence["files"] == N_SLICES * N_FRAMES


def test_single_images_of_one_place_and_kind_stay_what_they_are(tmp_path: Path) -> None:
    """Few images at one place, a series each, are no cine: late enhancement, say."""
    found = read_headers(
        study(tmp_path, lambda d, k, t: uid_and_number_a_file(d, k, t) if t < 3 else uid_a_file(d, k, t))
    )
    assert len(found.series) > N_SLICES


def test_described_parts_of_one_uid_are_series_of_their_own(tmp_path: Path) -> None:
    def edit(dataset: Dataset, k: int, t: int) -> None:
        one_uid(dataset, k, t)
        dataset.SeriesNumber, dataset.SeriesDescription = 1, "rest" if k < 2 else "stress"

    assert sorted(read_headers(study(tmp_path, edit)).series) == ["series 1a", "series 1b"]
