"""Contours in text files, as Sunnybrook's, and in workspaces exported from cvi42 as XML.

Points are pixels of the image, column then row, with (0, 0) in the centre of the first pixel.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, View
from cinema_cmr.files.text import read_text
from cinema_cmr.image.polygon import fill_polygons
from cinema_cmr.interop.canvas import Canvas, Place
from cinema_cmr.interop.label_reading import known_class
from cinema_cmr.interop.study_files import dicom_files, read_header
from cinema_cmr.io.contour_text import read_contour
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.values import text_of

__all__ = ["add_contour_files", "is_contour_file"]

_TEXT_NAME = re.compile(r".*?(?P<number>\d+)-(?P<kind>[io])contour(?:-\w+)?\.txt", re.IGNORECASE)
_TEXT_KINDS = {"i": "lv", "o": "epi"}
_XML = (".cvi42wsx", ".xml")
_MAX_XML_BYTES = 256 << 20
_NOT_AREAS = re.compile(r"extent|cent(re|er)|point|marker|line|ref|seed|roi|enhance|reflow|tissue|blood", re.IGNORECASE)
"""Parts of names of what a workspace holds beside outlines: points, lines and areas for other analyses."""

_ATRIA = tuple(label.name for label in ATRIUM_LABELS)
"""Passed over in a workspace: atria are often drawn in other frames than ventricles, where nothing is said of those."""

Points = NDArray[np.float64]


def is_contour_file(path: Path) -> bool:
    """Return True for the name of a contour text file (`IM-0001-0048-icontour-manual.txt`) or of a workspace."""
    return path.suffix.lower() in _XML or _TEXT_NAME.fullmatch(path.name) is not None


def add_contour_files(canvas: Canvas, paths: Sequence[Path], study: Path) -> None:
    """Add the contours of text files and workspaces to a canvas; `study` is the DICOM study that was drawn on.

    In the name of a text file stand the InstanceNumber of a short-axis image and its kind: i, the LV's cavity, or o,
    the outer border of its wall. A workspace names each image by its SOP Instance UID. Raises `InputError` for contours
    of no image of the study, or of several, and for two files of one kind of contour on one image.
    """
    numbers: Mapping[int, list[Place]] | None = None
    for path in paths:
        canvas.source = path
        if path.suffix.lower() in _XML:
            for place, structure, points in _placed_contours(canvas, path):
                _fill(canvas, place, structure, points)
            continue
        match = _TEXT_NAME.fullmatch(path.name)
        assert match is not None  # chosen by is_contour_file
        numbers = _numbered_places(canvas, study) if numbers is None else numbers
        place = _only_place(numbers.get(int(match["number"]), []), path.name, int(match["number"]))
        _fill(canvas, place, _TEXT_KINDS[match["kind"].lower()], read_contour(path))


def _numbered_places(canvas: Canvas, study: Path) -> Mapping[int, list[Place]]:
    """Return InstanceNumber -> places of short-axis images with it."""
    found: dict[int, list[Place]] = defaultdict(list)
    with dicom_files(study) as paths, quiet_pydicom():
        for path in paths:
            header = read_header(path)
            if header is None:
                continue
            place = canvas.places.get((text_of(header, "SOPInstanceUID"), 0))
            number = text_of(header, "InstanceNumber").strip()
            if place is not None and canvas.study.cines[place[0]].view is View.SAX and number.isdecimal():
                found[int(number)].append(place)
    return found


def _only_place(places: Sequence[Place], name: str, number: int) -> Place:
    if len(set(places)) != 1:
        raise InputError(
            f"'{name}' is a contour of the image with instance number {number}, of which the short-axis cine has"
            f" {len(set(places))}; expected exactly one: give the study, or the series, that was drawn on"
        )
    return places[0]


def _fill(canvas: Canvas, place: Place, structure: str, points: Points) -> None:
    shape = canvas.study.cines[place[0]].shape
    canvas.add(place, structure, fill_polygons([points], (shape[0], shape[1])))


def _placed_contours(canvas: Canvas, path: Path) -> Iterator[tuple[Place, str, Points]]:
    """Yield place, class and points of the contours of a workspace that lie on images of the study.

    A workspace holds all that was ever drawn: contours of atria, papillary muscles or the RV's wall are passed over,
    and counted in a note.
    """
    found, others = 0, Counter[str]()
    for uid, name, points in _workspace_contours(path):
        place, structure = canvas.places.get((uid, 0)), known_class(name)
        structure = None if structure in _ATRIA else structure
        if place is not None and structure is None:
            others[name] += 1
        elif place is not None and structure is not None:
            yield place, structure, points
            found += 1
    if others:
        listed = ", ".join(f"{count} {name[:40]}" for name, count in sorted(others.items()))
        canvas.note(f"{path.name}: passed over contours of other structures: {listed}")
    if not found:
        raise InputError(
            f"'{path.name}' has no contour of a ventricle on an image of this study; expected a cvi42 workspace"
            " exported as XML, and the study that was drawn on"
        )


def _workspace_contours(path: Path) -> Iterator[tuple[str, str, Points]]:
    """Yield SOP Instance UID, name and points of each outline of a ventricle in a workspace."""
    text = read_text(path, max_bytes=_MAX_XML_BYTES)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableFileError(f"'{path.name}' defines entities; expected a workspace as cvi42 exports it")
    try:
        root = ET.fromstring(text)  # without entities, and bounded
    except ET.ParseError as error:
        raise UnreadableFileError(f"'{path.name}' is not XML; expected a workspace exported as cvi42wsx") from error
    for states in (item for item in root.iter() if _key(item) == "ImageStates"):
        for image in states:
            for contours in (item for item in image if _key(item) == "Contours"):
                for contour in contours:
                    name = _key(contour)
                    if "contour" in name.lower() and not _NOT_AREAS.search(name):
                        points = _points_of(contour, path.name)
                        if len(points) > 2:
                            yield _key(image), name, points


def _points_of(contour: ET.Element, file: str) -> Points:
    """Return the points of an outline, (n, 2) pixels; they are stored in fractions of a pixel.

    Raises `UnreadableFileError` for points, or a fraction, that are not finite numbers.
    """
    parts = {_key(part): part for part in contour}
    if "Points" not in parts:
        return np.zeros((0, 2))
    stored = parts.get("SubpixelResolution")
    try:
        scale = 1.0 if stored is None else float(stored.text or 1)
        points = np.asarray([[float(value.text or "") for value in point][:2] for point in parts["Points"]], np.float64)
        points = points.reshape(len(parts["Points"]), 2)
    except ValueError:  # not a number, or a point without two of them
        points, scale = np.full((1, 2), np.nan), 1.0
    if not (np.isfinite(points).all() and np.isfinite(scale) and scale > 0):
        raise UnreadableFileError(
            f"'{file}' has a contour '{_key(contour)[:40]}' with points that are not numbers, or in fractions of"
            " a pixel that are none; expected x and y for each and a SubpixelResolution above 0: export it again"
        )
    return points / scale


def _key(item: ET.Element) -> str:
    """Return the key of an item in its parent; "" without one."""
    return next((value for name, value in item.attrib.items() if name.rpartition("}")[2] == "key"), "")
