"""The user decides last, and a decision that cannot be carried out is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from synthetic_dicom import Heart, StudyWriter, expected_array, long_axis_plane, short_axis_planes

from cinema_cmr.core.choices import SeriesChoice, StudyChoices
from cinema_cmr.core.errors import InputError, NoCineError, UnknownNameError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.study import read_dicom

HEART = Heart()
PLANES = short_axis_planes(HEART, n=5)
OTHER_HEART = Heart(centre=(32.0, -20.0, -10.0))

pytestmark = pytest.mark.medium


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack (3), its middle slice again and later (4), a flow slice (5), a long-axis plane (6), a localizer (7)."""
    path = tmp_path_factory.mktemp("study")
    writer = StudyWriter(folder=path, heart=HEART)
    writer.add(PLANES, series=3, n_frames=8, SeriesDescription="cine SA")
    writer.add([long_axis_plane(HEART, 20.0)], series=6, n_frames=8, SeriesDescription="cine 4ch")
    writer.add([PLANES[0].moved(-10.0)], series=5, n_frames=12, ImageType=["ORIGINAL", "PRIMARY", "P"])
    writer.add(PLANES[:1], series=7, n_frames=1)
    StudyWriter(folder=path, heart=OTHER_HEART).add(PLANES[2:3], series=4, n_frames=8, SeriesDescription="cine SA redo")
    return path


def read(folder: Path, **choices: object) -> Study:
    return read_dicom(folder, choices=StudyChoices(**choices))  # type: ignore[arg-type]  # as the options give them


def decisions(study: Study) -> list[str]:
    return [issue.message for issue in study.issues if issue.code == "user-decision"]


def test_without_decisions_nothing_is_recorded(folder: Path) -> None:
    assert decisions(read_dicom(folder)) == []


def test_ignored_series_are_as_if_absent(folder: Path) -> None:
    study = read(folder, ignore=("cine 4ch",))
    assert View.LAX_4C not in study
    assert decisions(study) == ["series 6: left out, as the user decided"]
    (decision,) = (one for one in study.decisions if one.series == "series 6")
    assert not decision.kept and "left out by the user" in decision.reason


def test_each_of_two_slices_at_one_place_can_be_chosen(folder: Path) -> None:
    first, second = (read(folder, use=(text,))[View.SAX].array for text in ("3", "cine SA redo"))
    assert first.shape == second.shape
    differs = [k for k in range(first.shape[2]) if not np.array_equal(first[:, :, k], second[:, :, k])]
    assert differs == [2]


def test_order_ranks_series_at_one_place(folder: Path) -> None:
    def stack(first: int, second: int) -> np.ndarray:
        rows = (("3", SeriesChoice(order=first)), ("4", SeriesChoice(order=second)))
        return np.asarray(read(folder, rows=rows)[View.SAX].array)

    assert not np.array_equal(stack(1, 2)[:, :, 2], stack(2, 1)[:, :, 2])


def test_a_series_is_used_whatever_its_header_claims(folder: Path) -> None:
    study = read(folder, use=("5",))
    assert study[View.SAX].n_slices == len(PLANES) + 1
    assert not [issue for issue in study.issues if issue.code == "claimed-series-left-out"]


def test_the_view_is_the_users(folder: Path) -> None:
    study = read(folder, view={"6": View.LAX_2C})
    assert View.LAX_2C in study and View.LAX_4C not in study
    assert View.LAX_2C not in read(folder, view={"6": View.OTHER})


def test_what_cannot_be_carried_out_is_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match=r"series 7 cannot be used: copies of other images"):
        read(folder, use=("7",))
    with pytest.raises(UnknownNameError, match=r"unknown series 'cine SA red'; did you mean 'cine SA redo'"):
        read(folder, use=("cine SA red",))


def test_a_cine_whose_times_stand_in_another_tag_is_refused_and_then_used(tmp_path: Path) -> None:
    plane = short_axis_planes(HEART, n=3)
    paths = StudyWriter(folder=tmp_path).add(plane, series=1, n_frames=12, TriggerTime=None)
    for path in paths:
        image = dcmread(path)
        image.InversionTime = 75.0 * ((int(image.InstanceNumber) - 1) % 12)
        image.save_as(path)
    with pytest.raises(NoCineError, match=r"inversion times .*name it with --use"):
        read_dicom(tmp_path)
    study = read(tmp_path, use=("1",))
    assert study.cines[0].view is View.SAX and study.cines[0].n_frames == 12
    np.testing.assert_array_equal(study.cines[0].array, expected_array(plane, 12))
