"""Contours drawn on single images come to lie in the right slice and frame of the assembled cine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from synthetic_dicom import HEART, StudyWriter, short_axis_planes

from cinema_cmr.core.errors import InputError
from cinema_cmr.datasets.readers.sunnybrook import list_cases, read_case

N_FRAMES = 12


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack that no test changes."""
    folder = tmp_path_factory.mktemp("stack") / "dicom"
    StudyWriter(folder=folder).add(short_axis_planes(HEART, n=5), series=3, n_frames=N_FRAMES)
    return folder


@pytest.fixture
def patient(images: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "SCD0000007"
    shutil.copytree(images, folder / "dicom")
    (folder / "contours" / "i-contours").mkdir(parents=True)
    (folder / "contours" / "o-contours").mkdir()
    return folder


def draw(patient: Path, instance: int, kind: str, corners: list[tuple[float, float]]) -> Path:
    path = patient / "contours" / f"{kind}-contours" / f"IM-0001-{instance:04d}-{kind}contour-manual.txt"
    path.write_text("".join(f"{x:.2f} {y:.2f}\n" for x, y in corners))
    return path


def box(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def instance(z: int, t: int) -> int:
    """The instance number that `StudyWriter` gives to the image of slice z, frame t."""
    return z * N_FRAMES + t + 1


def test_a_contour_is_filled_in_its_own_slice_and_frame(patient: Path) -> None:
    draw(patient, instance(1, 0), "i", box(9.5, 19.5, 4, 6))
    draw(patient, instance(1, 0), "o", box(7.5, 17.5, 8, 10))
    draw(patient, instance(3, 5), "i", box(29.5, 39.5, 2, 3))
    (case,) = list_cases(patient.parent)
    annotated = read_case(case)
    label_map = annotated.labels[annotated.study.cines[0].view]
    labels, slices = label_map.array, label_map.drawn_slices
    assert slices is not None and list(zip(*slices.nonzero(), strict=True)) == [(1, 0), (3, 5)]
    assert label_map.drawn == ("lv",) and annotated.patient == "SCD0000007"
    assert list(annotated.labelled_frames.values()) == [(0, 5)]
    assert (labels[10:14, 20:26, 1, 0] == 3).all() and (labels[30:32, 40:43, 3, 5] == 3).all()
    assert [(labels == code).sum() for code in (1, 2, 3)] == [0, 8 * 10 - 4 * 6, 4 * 6 + 2 * 3]


@pytest.mark.medium
def test_a_zip_is_read_as_its_folder(patient: Path) -> None:
    draw(patient, instance(2, 0), "i", box(9.5, 19.5, 4, 6))
    shutil.make_archive(str(patient / "dicom"), "zip", patient / "dicom")
    shutil.rmtree(patient / "dicom")
    labels = read_case(list_cases(patient.parent)[0]).labels
    assert [int((label.array == 3).sum()) for label in labels.values()] == [24]


@pytest.mark.medium
def test_contours_of_another_series_are_refused(patient: Path) -> None:
    draw(patient, 999, "i", box(9.5, 19.5, 4, 6))
    with pytest.raises(InputError, match=r"instance 999 \(1 in all\).*one series"):
        read_case(list_cases(patient.parent)[0])


def test_missing_contours_or_images_are_named(patient: Path) -> None:
    with pytest.raises(InputError, match="no endocardial contours"):
        read_case(list_cases(patient.parent)[0])
    draw(patient, 1, "i", box(9.5, 19.5, 4, 6))
    shutil.rmtree(patient / "dicom")
    with pytest.raises(InputError, match="no images"):
        read_case(list_cases(patient.parent)[0])


@pytest.mark.realdata
def test_real_contours_lie_on_bright_blood(real_data: Path) -> None:
    for case in list_cases(real_data / "sunnybrook"):
        annotated = read_case(case)
        ((view, labels),) = annotated.labels.items()
        cine = annotated.study.cine(view)
        inside = cine.array[labels.array == 3].mean()
        assert inside > 1.5 * cine.array.mean(), case.name
        assert len(annotated.labelled_frames[view]) == 2
