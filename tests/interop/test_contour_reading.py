"""Contours in text files and cvi42 workspaces come back on the images that they were drawn on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import contourpy
import numpy as np
import pytest
from interop_hearts import analysed, stack_cine, write_study
from numpy.typing import NDArray
from pydicom import dcmread

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.reading import find_cases, read_cases
from cinema_cmr.interop.contour_reading import is_contour_file
from cinema_cmr.interop.label_folder import convert_labels, read_labels
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.read import read_study

OTHERS = ("sarvepicardialContour", "sapapilMuscContour", "laraContour", "lalaContour")
"""Contours of a workspace that no label stands for."""

Drawn = Mapping[tuple[int, int], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Study, Drawn]:
    """A study with one image a file, and the labels (x, y) of two frames by slice and frame."""
    folder = write_study(tmp_path_factory.mktemp("contours") / "study", stack_cine(), shape=DicomShape.SERIES_PER_VIEW)
    truth = analysed(folder).predictions[View.SAX].labels.array
    labels = {
        (k, t): truth[:, :, k, t] for k in range(truth.shape[2]) for t in (0, 4) if (truth[:, :, k, t] == 3).any()
    }
    return folder, read_study(folder), labels


def outline(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    lines = contourpy.contour_generator(z=np.pad(mask.T.astype(float), 1)).lines(0.5)
    return max(lines, key=len) - 1


def outlines(labels: NDArray[np.uint8], *, wall: bool = True) -> dict[str, NDArray[np.float64]]:
    cavity = {"i": outline(labels == 3)}
    return {**cavity, "o": outline(np.isin(labels, (2, 3)))} if wall else cavity


def numbers_of(folder: Path) -> dict[str, int]:
    headers = (dcmread(path, stop_before_pixels=True) for path in folder.rglob("*") if path.is_file())
    return {str(header.SOPInstanceUID): int(header.InstanceNumber) for header in headers}


def uid_of(study: Study, k: int, t: int) -> str:
    sources = study[View.SAX].sources
    assert sources is not None
    image = sources.images[k][t]
    assert image is not None
    return image.instance_uid


def write_text_contours(target: Path, scan: tuple[Path, Study, Drawn]) -> Path:
    folder, study, labels = scan
    numbers = numbers_of(folder)
    for (k, t), array in labels.items():
        for kind, points in outlines(array, wall=t == 0).items():
            path = target / f"{kind}-contours" / f"IM-0001-{numbers[uid_of(study, k, t)]:04d}-{kind}contour-manual.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(path, points, fmt="%.2f")
    return target


def workspace(study: Study, labels: Drawn, *, scale: int = 4) -> str:
    """A workspace as cvi42 exports it: points in fractions of a pixel, and areas that are no ventricle's."""

    def contour(name: str, points: NDArray[np.float64]) -> str:
        values = "".join(
            f"<L:item><P:x>{x}</P:x><P:y>{y}</P:y></L:item>" for x, y in np.rint(points * scale).astype(int)
        )
        return (
            f'<H:item H:key="{name}" H:count="2"><H:item H:key="Points" L:count="{len(points)}">{values}</H:item>'
            f'<H:item H:key="SubpixelResolution">{scale}</H:item></H:item>'
        )

    images = []
    for (k, t), array in labels.items():
        both = outlines(array)
        inside = contour("saendocardialContour", both["i"]) + contour("saepicardialContour", both["o"])
        inside += contour("sacardialRefPoint", both["i"][:1]) + contour("saReferenceMyoContour", both["i"])
        inside += "".join(contour(name, both["i"]) for name in OTHERS)
        contours = f'<H:item H:key="Contours">{inside}</H:item>'
        images.append(f'<H:item H:key="{uid_of(study, k, t)}">{contours}<H:item H:key="Zoom">1.5</H:item></H:item>')
    spaces = 'xmlns:H="Hash/" xmlns:L="List/" xmlns:P="Point/"'
    return f'<W {spaces}><H:item H:key="ImageStates">{"".join(images)}</H:item></W>'


@pytest.mark.medium
def test_text_contours_are_a_dataset_of_the_cavity_alone_where_the_wall_is_missing_in_a_frame(
    scan: tuple[Path, Study, Drawn], tmp_path: Path
) -> None:
    folder, _, labels = scan
    convert_labels(write_text_contours(tmp_path / "contours", scan), folder, tmp_path / "lab")
    dataset, cases = find_cases(str(tmp_path / "lab"))
    (one,) = read_cases(dataset, cases, {case.patient for case in cases})
    found = one.labels[View.SAX]
    assert found.drawn == ("lv",) and one.study[View.SAX].n_frames == 2
    for (k, t), array in labels.items():
        np.testing.assert_array_equal(found.array[:, :, k, t // 4] == 3, array == 3)
        assert t != 0 or np.array_equal(found.array[:, :, k, 0] == 2, array == 2)
    assert found.drawn_slices is not None and int(found.drawn_slices.sum()) == len(labels)


@pytest.mark.medium
def test_a_workspace_names_its_images_and_other_areas_are_passed_over(
    scan: tuple[Path, Study, Drawn], tmp_path: Path
) -> None:
    folder, study, labels = scan
    (tmp_path / "p1.cvi42wsx").write_text(workspace(study, labels))
    notes = list[str]()
    (read,) = read_labels(tmp_path / "p1.cvi42wsx", study, folder, note=notes.append)
    counted = ", ".join(f"{len(labels)} {name}" for name in sorted(OTHERS))
    assert notes == [f"p1.cvi42wsx: passed over contours of other structures: {counted}"]
    assert read.frames == (0, 4) and read.drawn == ("myo", "lv")
    for (k, t), array in labels.items():
        # A quarter of a pixel is what the workspace keeps.
        assert np.mean((read.labels.array[:, :, k, t] == 3) != (array == 3)) < 0.01


@pytest.mark.medium
def test_a_damaged_file_in_the_study_does_not_hide_the_others(scan: tuple[Path, Study, Drawn], tmp_path: Path) -> None:
    folder, study, labels = scan
    drawn = write_text_contours(tmp_path / "contours", scan)
    copied = shutil.copytree(folder, tmp_path / "study")
    (copied / "damaged.dcm").write_bytes(bytes(128) + b"DICM" + b"\x08\x00\x15\x11SQ\x00\x00" + b"\xff" * 13)
    (read,) = read_labels(drawn, study, copied)
    assert {place for place in labels if read.labels.array[:, :, place[0], place[1]].any()} == set(labels)


@pytest.mark.medium
def test_contours_of_other_images_are_refused(scan: tuple[Path, Study, Drawn], tmp_path: Path) -> None:
    folder, study, labels = scan
    path = tmp_path / "IM-0001-9999-icontour-manual.txt"
    np.savetxt(path, outline(next(iter(labels.values())) == 3))
    with pytest.raises(InputError, match="instance number 9999, of which the short-axis cine has 0"):
        read_labels(path, study, folder)
    other = {"1.2.3": "x"}
    (tmp_path / "p1.xml").write_text(f'<W><item key="ImageStates"><item key="{next(iter(other))}"/></item></W>')
    with pytest.raises(InputError, match="no contour of a ventricle on an image of this study"):
        read_labels(tmp_path / "p1.xml", study, folder)
    (tmp_path / "p2.xml").write_text('<!DOCTYPE W [<!ENTITY a "b">]><W/>')
    with pytest.raises(UnreadableFileError, match="defines entities"):
        read_labels(tmp_path / "p2.xml", study, folder)
    (tmp_path / "p3.xml").write_text("<W>")
    with pytest.raises(UnreadableFileError, match="not XML"):
        read_labels(tmp_path / "p3.xml", study, folder)


@pytest.mark.medium
def test_two_contours_of_one_kind_on_one_image_are_refused(scan: tuple[Path, Study, Drawn], tmp_path: Path) -> None:
    folder, study, labels = scan
    contours = write_text_contours(tmp_path / "contours", scan)
    manual = next(contours.glob("i-contours/*.txt"))
    for other in (manual.name.replace("manual", "auto"), manual.name.replace("IM-0001", "IM-0002")):
        copy = manual.with_name(other)
        copy.write_text(manual.read_text())
        with pytest.raises(InputError, match="both draw the left ventricle") as error:
            read_labels(contours, study, folder)
        assert other in str(error.value) and manual.name in str(error.value)
        copy.unlink()
    assert read_labels(contours, study, folder)
    for name in ("reader1.cvi42wsx", "reader2.cvi42wsx"):
        (tmp_path / "two" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "two" / name).write_text(workspace(study, labels))
    with pytest.raises(InputError, match=r"'reader1.cvi42wsx' and 'reader2.cvi42wsx' both draw"):
        read_labels(tmp_path / "two", study, folder)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("pattern", "new"),
    [
        (r"(?<=SubpixelResolution\">)4", "0"),
        (r"(?<=SubpixelResolution\">)4", "four"),
        (r"(?<=SubpixelResolution\">)4", "nan"),
        (r"<P:x>\d+", "<P:x>nan"),
        (r"<P:x>\d+", "<P:x>inf"),
        (r"<P:x>\d+", "<P:x>left"),
        (r"<P:x>\d+", "<P:x>"),
        (r"<P:x>\d+</P:x>", ""),
    ],
)
def test_points_of_a_workspace_that_are_not_numbers_are_refused(
    scan: tuple[Path, Study, Drawn], tmp_path: Path, pattern: str, new: str
) -> None:
    folder, study, labels = scan
    (tmp_path / "p1.cvi42wsx").write_text(re.sub(pattern, new, workspace(study, labels), count=1))
    with pytest.raises(UnreadableFileError, match=r"'p1.cvi42wsx' has a contour 'saendocardialContour' with points"):
        read_labels(tmp_path / "p1.cvi42wsx", study, folder)


def test_names_of_contours() -> None:
    names = ("IM-0001-0048-icontour-manual.txt", "P01-0080-ocontour-manual.txt", "a.cvi42wsx")
    assert all(is_contour_file(Path(name)) for name in names)
    assert not any(is_contour_file(Path(name)) for name in ("notes.txt", "IM-0001-0048-p1-contour.txt", "sax.nii.gz"))
