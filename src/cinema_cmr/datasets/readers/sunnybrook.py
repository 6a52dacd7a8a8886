"""Sunnybrook Cardiac Data: full-cycle short-axis DICOM with manual contours of the left ventricle at ED and ES."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError, MissingFileError
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import index_by_name
from cinema_cmr.image.polygon import fill_polygons
from cinema_cmr.io.archive import extract_archive
from cinema_cmr.io.contour_text import read_contour
from cinema_cmr.io.dicom.sort import instance_positions
from cinema_cmr.io.dicom.study import find_stacks
from cinema_cmr.io.read import read_study
from cinema_cmr.io.walk import paths_below

__all__ = ["CARD", "DATASET", "list_cases", "read_case"]

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
    """List every `SCD…` folder with contours under `root`, by name.

    Raises `InputError` if there is none, or one is present twice.
    """
    found = (path.parent.parent for path in paths_below(root, "i-contours") if path.is_dir())
    folders = index_by_name(
        ((folder.name, folder) for folder in found if folder.name.startswith("SCD")),
        expected="SCD0000101/contours/i-contours and so on",
    )
    return [
        Case(name=name, patient=name, folder=folder, files=tuple(_image_paths(folder)))
        for name, folder in folders.items()
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the whole cycle with the left ventricle labelled in some slices of two frames.

    Only the cavity counts as drawn, in slices with a contour: the wall is missing at one of the two frames. The cavity
    is the interior of the endocardial contour; if an epicardial contour was drawn too, the region between
    them is myocardium. A contour belongs to the image with its instance number. Raises `InputError` if images or
    contours are missing, or the image of a contour is not in the stack.
    """
    contours = {kind: _contours(case.folder / "contours" / f"{kind}-contours", kind) for kind in ("i", "o")}
    if not contours["i"]:
        raise InputError(
            f"'{case.name}' has no endocardial contours; expected contours/i-contours/*.txt: unpack the dataset again"
        )
    with _open_images(_images(case)) as folder:
        study, positions = read_study(folder, name=case.name), _instance_map(folder)
    _check_complete(case.name, {*contours["i"], *contours["o"]} - positions.keys())
    cine = study.cine(View.SAX)
    labels = np.zeros(cine.array.shape, np.uint8)
    for kind, code in (("o", _MYO), ("i", _LV)):
        for number, points in contours[kind].items():
            z, t = positions[number]
            labels[..., z, t][fill_polygons([points], cine.shape[:2])] = code
    return AnnotatedStudy(
        study=study,
        patient=case.patient,
        labels={View.SAX: LabelMap(array=labels, drawn=("lv",), drawn_slices=np.asarray(labels.any(axis=(0, 1))))},
        labelled_frames={View.SAX: tuple(sorted({positions[number][1] for number in contours["i"]}))},
        facts=case.facts,
    )


DATASET = Dataset(card=CARD, list_cases=list_cases, read_case=read_case)


def _images(case: Case) -> Path:
    if not case.files:
        raise MissingFileError(
            f"'{case.name}' has no images; expected dicom.zip or a folder dicom beside contours: unpack the dataset"
            " again"
        )
    return case.files[0]


def _image_paths(folder: Path) -> Iterator[Path]:
    paths = (folder / name for name in ("dicom.zip", "dicom", "DICOM"))
    return (path for path in paths if path.exists())


def _contours(folder: Path, kind: str) -> dict[int, NDArray[np.float64]]:
    """Return instance number -> contour of one kind, "i" or "o"."""
    named = ((path, _CONTOUR_NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.txt")))
    return {int(match["number"]): read_contour(path) for path, match in named if match and match["kind"] == kind}


@contextmanager
def _open_images(images: Path) -> Iterator[Path]:
    if images.is_dir():
        yield images
    else:
        with extract_archive(images) as folder:
            yield folder


def _instance_map(folder: Path) -> dict[int, tuple[int, int]]:
    """Return instance number -> (slice, frame) in the stack with the most slices."""
    found, stacks = find_stacks(folder)
    largest = max(stacks.stacks, key=lambda stack: len(stack.slices))
    return {number: position for (_, number), position in instance_positions(largest, found.headers).items()}


def _check_complete(name: str, missing: set[int]) -> None:
    if missing:
        raise InputError(
            f"'{name}' has contours of instance {min(missing)} ({len(missing)} in all), which are not in its"
            " short-axis stack; expected images and contours of one series: unpack the dataset again"
        )
