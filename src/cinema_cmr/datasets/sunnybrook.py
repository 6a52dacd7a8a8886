"""Sunnybrook Cardiac Data: full-cycle short-axis DICOM with hand-drawn contours of the left ventricle at ED and ES."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError, MissingFileError
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.io.archive import extracted
from cinema_cmr.io.dicom.sort import instance_places
from cinema_cmr.io.dicom.study import find_stacks
from cinema_cmr.io.read import read_study
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "list_cases", "read_case", "read_contour"]

CARD = DatasetCard(
    name="sunnybrook",
    title="Sunnybrook Cardiac Data",
    licence="CC0 1.0",
    citation="Radau et al., The MIDAS Journal, Cardiac MR Left Ventricle Segmentation Challenge, 2009, hdl 10380/3070",
    how_to_get="Download it from the Cardiac Atlas Project; one folder SCDnnnnnnn a patient, with dicom.zip or dicom,"
    " and contours/i-contours and o-contours beside it.",
    derived_licence="CC0 1.0",
    n_cases=45,
)

_CONTOUR_NAME = re.compile(r"IM-\d+-(?P<number>\d+)-(?P<kind>[io])contour-manual\.txt")
_LV, _MYO = (next(label.code for label in CINE_LABELS if label.name == name) for name in ("lv", "myo"))


def list_cases(root: Path) -> list[Case]:
    """Every `SCD…` folder under `root` that holds contours; raises `InputError` where there is none or one is twice."""
    found = {path.parent.parent for path in paths_below(root, "i-contours") if path.is_dir()}
    folders = sorted((folder for folder in found if folder.name.startswith("SCD")), key=lambda folder: folder.name)
    if not folders:
        raise InputError(f"no SCD…/contours/i-contours under '{Path(root).name}'; expected the unpacked dataset")
    twice = sorted({a.name for a, b in pairwise(folders) if a.name == b.name})
    if twice:
        raise InputError(f"{twice[0]} is there more than once under '{Path(root).name}'; give one copy of the data")
    return [
        Case(name=folder.name, patient=folder.name, folder=folder, files=tuple(_image_places(folder)))
        for folder in folders
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """The whole cycle with the left ventricle drawn in some slices of two frames.

    The cavity is the inside of the endocardial contour; where an epicardial one was drawn too, what lies between
    is myocardium. Each contour belongs to the image with its instance number. Raises `InputError` where images or
    contours are missing, or a contour's image is not in the stack.
    """
    contours = {kind: _contours(case.folder / "contours" / f"{kind}-contours", kind) for kind in ("i", "o")}
    if not contours["i"]:
        raise InputError(f"'{case.name}' has no endocardial contours; expected contours/i-contours/*.txt")
    with _unpacked(_images(case)) as folder:
        study, places = read_study(folder, name=case.name), _places(folder)
    _check_all_there(case.name, {*contours["i"], *contours["o"]} - places.keys())
    cine = study.cine(View.SAX)
    labels = np.zeros(cine.array.shape, np.uint8)
    for kind, code in (("o", _MYO), ("i", _LV)):
        for number, points in contours[kind].items():
            z, t = places[number]
            labels[..., z, t][_inside(points, cine.array.shape[:2])] = code
    return AnnotatedStudy(
        study=study,
        patient=case.patient,
        labels={View.SAX: LabelMap(array=labels)},
        labelled_frames={View.SAX: tuple(sorted({places[number][1] for number in contours["i"]}))},
        structures=("lv",),
        facts=case.facts,
    )


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def read_contour(path: Path) -> NDArray[np.float64]:
    """(n, 2) points of a contour, column and row in pixels, the middle of the first pixel being (0, 0).

    Raises `InputError` for a file that holds no polygon.
    """
    try:
        points = [[float(number) for number in line.split()] for line in path.read_text().splitlines() if line.strip()]
    except ValueError as error:
        raise InputError(f"contour '{path.name}' holds no numbers ({error}); unpack the dataset again") from error
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise InputError(f"contour '{path.name}' has {len(points)} lines; expected three or more of x and y each")
    return np.asarray(points, dtype=np.float64)


def _images(case: Case) -> Path:
    if not case.files:
        raise MissingFileError(f"'{case.name}' has no images; expected dicom.zip or a folder dicom beside contours")
    return case.files[0]


def _image_places(folder: Path) -> Iterator[Path]:
    paths = (folder / name for name in ("dicom.zip", "dicom", "DICOM"))
    return (path for path in paths if path.exists())


def _contours(folder: Path, kind: str) -> dict[int, NDArray[np.float64]]:
    """Instance number -> contour of one kind, "i" or "o"."""
    named = ((path, _CONTOUR_NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.txt")))
    return {int(match["number"]): read_contour(path) for path, match in named if match and match["kind"] == kind}


@contextmanager
def _unpacked(images: Path) -> Iterator[Path]:
    if images.is_dir():
        yield images
    else:
        with extracted(images) as folder:
            yield folder


def _places(folder: Path) -> dict[int, tuple[int, int]]:
    """Instance number -> slice and frame in the stack with the most slices."""
    found, stacks = find_stacks(folder)
    largest = max(stacks.stacks, key=lambda stack: len(stack.slices))
    return {number: place for (_, number), place in instance_places(largest, found.headers).items()}


def _check_all_there(name: str, missing: set[int]) -> None:
    if missing:
        raise InputError(
            f"'{name}' has contours of instance {min(missing)} ({len(missing)} in all), which are not in its"
            " short-axis stack; expected images and contours of one series"
        )


def _inside(points: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(x, y) True in pixels whose middle is inside of the contour."""
    from matplotlib.path import Path as Polygon

    grid = np.indices(shape[:2]).reshape(2, -1).T
    inside = Polygon(points, closed=False).contains_points(grid)
    return np.asarray(inside, dtype=np.bool_).reshape(shape[:2])
