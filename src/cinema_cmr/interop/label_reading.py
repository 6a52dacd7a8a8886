"""Masks and contours of other systems, read back as labels on the cines of their study.

DICOM segmentations (SEG) and structure sets (RTSTRUCT). The image that a frame or contour refers to gives slice and
phase; its own position in the patient gives the pixels, so that a crop or a flip by the other system does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError, InputError, UnreadableFileError
from cinema_cmr.core.geometry import lps_to_ras
from cinema_cmr.core.volume import Cine
from cinema_cmr.files.regular import is_damage
from cinema_cmr.image.polygon import fill_polygons
from cinema_cmr.interop.canvas import Canvas, Place, slice_origin
from cinema_cmr.interop.study_files import dicom_files
from cinema_cmr.io.dicom.decoding.bounded_file import read_dataset
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.values import text_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["add_dicom_labels", "class_of_structure", "known_class"]

_SEG, _RTSTRUCT = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3"
_CODES = {
    **{"87878005": "lv", "53085002": "rv", "49848007": "myo", "74281007": "myo"},
    **{"82471001": "la", "73829009": "ra"},
}
"""SNOMED CT code of a segment -> class."""
_RIGHT = r"(?<![a-z])(?:sa|la)?rv|right"
"""The right ventricle, also as "sarvendocardialContour"."""
_NAMES = (
    (None, re.compile(r"aort|vein|arter|papill|pericard|appendage|atri.*(epi|myo|wall)|(epi|myo|wall).*atri")),
    ("la", re.compile(r"left atri|atrium left|^la$|^la blood pool$")),
    ("ra", re.compile(r"right atri|atrium right|^ra$|^ra blood pool$")),
    (None, re.compile(r"atri|\b[lr]a\b")),
    (None, re.compile(rf"({_RIGHT}).*(epi|myo|wall)|(epi|myo|wall).*({_RIGHT})")),
    ("rv", re.compile(_RIGHT)),
    ("epi", re.compile(r"epi")),
    ("myo", re.compile(r"myo|wall")),
    ("lv", re.compile(r"endo|(?<![a-z])lv|left|cavity|blood")),
)
"""Class -> words in the name of a segment or contour, the first that is found; None is a structure without a class.

"epi" is wall and cavity of the LV together."""
_OFF_PLANE_MM = 1.0
"""Farthest a frame or contour may lie from the plane of the image that it refers to."""


def add_dicom_labels(canvas: Canvas, source: Path) -> None:
    """Add all SEG and RTSTRUCT objects of a folder, file or zip to a canvas of a study read from DICOM.

    Raises `InputError` where there is none, for a structure of unknown name and code, and for objects that refer to
    no image of the study or lie off its planes, `UnreadableFileError` for one that is damaged or incomplete.
    """
    n_objects = 0
    with dicom_files(source) as paths, quiet_pydicom():
        for path in paths:
            with _named_if_damaged(path):
                kind = text_of(read_dataset(path, ["SOPClassUID"]), "SOPClassUID")
                if kind in (_SEG, _RTSTRUCT):
                    n_objects += 1
                    canvas.source = path
                    add = _add_segmentation if kind == _SEG else _add_contours
                    add(canvas, read_dataset(path, pixels=True), path.name)
    if not n_objects:
        raise InputError(
            f"'{source.name}' holds no segmentation, structure set, contours or masks; expected DICOM SEG or RTSTRUCT,"
            " IM-0001-0048-icontour-manual.txt, a workspace *.cvi42wsx, or NIfTI, NRRD or MHA masks: check the path"
        )


@contextmanager
def _named_if_damaged(path: Path) -> Iterator[None]:
    """Give what pydicom and numpy raise for a damaged object, or one without an element it must have, its name."""
    try:
        yield
    except Exception as error:
        if isinstance(error, CinemaError) or not is_damage(error):
            raise
        raise UnreadableFileError(
            f"'{path.name}' is damaged or lacks an element ({type(error).__name__}); expected a whole DICOM object:"
            " export it again"
        ) from error


def class_of_structure(words: str, codes: Iterable[str], file: str) -> str:
    """Return the class of a structure as `known_class` does; raises `InputError` for one without a class."""
    found = known_class(words, codes)
    if found is None:
        raise InputError(
            f"'{file}' has a structure '{words[:40]}'; expected left ventricle, its myocardium or right ventricle, or"
            " in a long axis an atrium, by code or name (endo, epi, RV, left atrium): rename it, or export without it"
        )
    return found


def known_class(words: str, codes: Iterable[str] = ()) -> str | None:
    """Return the class of a structure by its SNOMED CT codes, else by its name: "lv", "rv", "myo", "epi", "la", "ra".

    "epi" is the outline of wall and cavity of the LV together; None, any other structure. "LA" with more words may be
    a long axis, and is none.
    """
    found = next((_CODES[code] for code in codes if code in _CODES), None)
    plain = re.sub(r"[\W_]+", " ", words.casefold()).strip()
    return found or next((name for name, pattern in _NAMES if pattern.search(plain)), None)


def _add_segmentation(canvas: Canvas, dataset: Dataset, file: str) -> None:
    if str(dataset.get("SegmentationType")) != "BINARY":
        raise InputError(
            f"'{file}' is a segmentation of type {dataset.get('SegmentationType')}; expected BINARY: export it so"
        )
    names = {
        int(one.SegmentNumber): class_of_structure(
            str(one.get("SegmentLabel") or ""),
            [str(code.CodeValue) for code in one.get("SegmentedPropertyTypeCodeSequence", ()) if "CodeValue" in code],
            file,
        )
        for one in dataset.SegmentSequence
    }
    pixels = dataset.pixel_array.reshape(-1, int(dataset.Rows), int(dataset.Columns)) > 0
    shared = dataset.SharedFunctionalGroupsSequence[0]
    groups = dataset.PerFrameFunctionalGroupsSequence
    places = [_frame_place(canvas, group, file) for group in groups]
    phases = {(place[0], place[2]) for place in places if place is not None}
    for pixel, group, referenced in zip(pixels, groups, places, strict=True):
        position, axes, spacing = (
            _element((group, shared), *names_of)
            for names_of in (
                ("PlanePositionSequence", "ImagePositionPatient"),
                ("PlaneOrientationSequence", "ImageOrientationPatient"),
                ("PixelMeasuresSequence", "PixelSpacing"),
            )
        )
        number = int(_element((group, shared), "SegmentIdentificationSequence", "ReferencedSegmentNumber")[0])
        place = referenced or _place_without_image(canvas, position, phases, file)
        mask = _on_cine(canvas.study.cines[place[0]], place[1], pixel.T, (position, axes, spacing), file)
        canvas.add(place, names[number], mask)


def _element(groups: Sequence[Dataset], sequence: str, keyword: str) -> NDArray[np.float64]:
    """Return the numbers of a functional group, of the frame or shared by all."""
    for group in groups:
        if group.get(sequence):
            return np.atleast_1d(np.array(group[sequence][0][keyword].value, dtype=np.float64))
    raise InputError(f"a segmentation has no {keyword}; expected one for every frame: export it again")


def _frame_place(canvas: Canvas, group: Dataset, file: str) -> Place | None:
    """Return slice and frame of the image that a frame was drawn on; None for a frame that refers to none."""
    references = [
        image for one in group.get("DerivationImageSequence", ()) for image in one.get("SourceImageSequence", ())
    ]
    if not references:
        return None
    places = {place for place in map(canvas.place, references) if place is not None}
    if len(places) != 1:
        raise InputError(
            f"'{file}' has a frame that refers to {len(references)} images, {len(places)} of them in this study;"
            " expected exactly one, which gives slice and phase: give the study that was drawn on, or export a"
            " segmentation for each phase"
        )
    return places.pop()


def _place_without_image(
    canvas: Canvas, position: NDArray[np.float64], phases: set[tuple[int, int]], file: str
) -> Place:
    """Return the place of a frame without reference, as of an image that was missing: the phase of all others."""
    if len(phases) != 1:
        raise InputError(
            f"'{file}' has a frame that refers to no image, and others of {len(phases)} phases; expected one phase in"
            " an object: export a segmentation for each phase"
        )
    ((number, frame),) = phases
    cine = canvas.study.cines[number]
    origins = np.stack([slice_origin(cine, k) for k in range(cine.n_slices)])
    normal = np.cross(cine.affine[:3, 0], cine.affine[:3, 1])
    distances = np.abs((origins - lps_to_ras(position)) @ (normal / np.linalg.norm(normal)))
    return number, int(distances.argmin()), frame


def _on_cine(
    cine: Cine, k: int, mask: NDArray[np.bool_], plane: tuple[NDArray[np.float64], ...], file: str
) -> NDArray[np.bool_]:
    """Return a mask (x, y) of a plane (origin, two axes, distances of rows and columns; LPS) on a slice's pixels."""
    position, axes, spacing = plane
    to_patient = np.stack([axes[:3] * spacing[1], axes[3:] * spacing[0], np.cross(axes[:3], axes[3:])], axis=1)
    n_x, n_y = cine.shape[:2]
    i, j = np.meshgrid(np.arange(n_x), np.arange(n_y), indexing="ij")
    points = lps_to_ras(slice_origin(cine, k) + i[..., None] * cine.affine[:3, 0] + j[..., None] * cine.affine[:3, 1])
    places = (points - position) @ np.linalg.inv(to_patient).T
    off_mm = float(np.abs(places[..., 2]).max())
    if off_mm > _OFF_PLANE_MM:
        raise InputError(
            f"'{file}' has a frame {off_mm:.1f} mm off the image that it refers to; expected the plane of that image:"
            " export it on the original images"
        )
    column, row = np.rint(places[..., 0]).astype(int), np.rint(places[..., 1]).astype(int)
    inside = (column >= 0) & (row >= 0) & (column < mask.shape[0]) & (row < mask.shape[1])
    found = np.zeros((n_x, n_y), dtype=bool)
    found[inside] = mask[column[inside], row[inside]]
    return found


def _add_contours(canvas: Canvas, dataset: Dataset, file: str) -> None:
    names = {int(one.ROINumber): str(one.get("ROIName") or "") for one in dataset.StructureSetROISequence}
    for roi in dataset.ROIContourSequence:
        name = class_of_structure(names[int(roi.ReferencedROINumber)], [], file)
        for contour in roi.get("ContourSequence", ()):
            if not str(contour.ContourGeometricType).startswith("CLOSED"):
                continue
            images = contour.get("ContourImageSequence", ())
            place = canvas.place(images[0]) if len(images) == 1 else None
            if place is None:
                raise InputError(
                    f"'{file}' has a contour that refers to no image of this study; expected one, which gives slice and"
                    " phase: give the study that was drawn on"
                )
            points = _points_of(contour, file)
            canvas.add(place, name, _filled(canvas.study.cines[place[0]], place[1], points, file), exclusive=True)


def _points_of(contour: Dataset, file: str) -> NDArray[np.float64]:
    """Return the (n, 3) LPS points of a contour; raises `InputError` for points that have no place."""
    values = np.array(contour.get("ContourData") or (), dtype=np.float64)
    if not len(values) or len(values) % 3 or not np.isfinite(values).all():
        raise InputError(
            f"'{file}' has a contour of {len(values)} values; expected finite x, y and z of each point: export it again"
        )
    return values.reshape(-1, 3)


def _filled(cine: Cine, k: int, points: NDArray[np.float64], file: str) -> NDArray[np.bool_]:
    """Return the pixels inside a contour of (n, 3) LPS points."""
    axes = cine.affine[:3, :2]
    offsets = lps_to_ras(points) - slice_origin(cine, k)
    places = offsets @ np.linalg.pinv(axes).T
    off_mm = float(np.linalg.norm(offsets - places @ axes.T, axis=1).max())
    if off_mm > _OFF_PLANE_MM:
        raise InputError(
            f"'{file}' has a contour {off_mm:.1f} mm off the image that it refers to; expected the plane of that image:"
            " export it on the original images"
        )
    return fill_polygons([places], cine.shape[:2])
