"""Landmark: single 2- and 4-chamber frames as PNG, with the mitral hinge points and the apex drawn as spots.

```
lax_2c.csv, lax_4c.csv           without header: cohort, image, view, number of the point, x, y
lax_2c/images/0001__00.png       patient and frame
lax_2c/masks/0001__00.png        85, 170, 255: spots of points 1, 2, 3; the points are their middles
```
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.study import Issue, Study
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy, Case, DatasetCard
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.datasets.listing import existing

__all__ = ["CARD", "DATASET", "PIXEL_MM", "list_cases", "read_case"]

CARD = DatasetCard(
    name="landmark",
    title="Long-axis landmarks of University College London",
    licence="private; as agreed with its owners",
    citation="Xue et al., Radiology: Artificial Intelligence 3(5):e200197, 2021, doi 10.1148/ryai.2021200197",
    how_to_get="Ask the authors (University College London); keep lax_2c.csv, lax_4c.csv, lax_2c/ and lax_4c/"
    " together.",
    derived_licence="private; as agreed with the owners of the images",
)

PIXEL_MM = 0.25
"""Nominal: the files tell no size, and four pixels are one of the protocol's 1 mm grid."""

_SPOTS = (85, 170, 255)
_FAR_PX = 2.0
Points = NDArray[np.float64]


def list_cases(root: Path) -> list[Case]:
    """One case a patient and view, with its frames in order; images of the table that are absent are in it too."""
    found: dict[tuple[str, View], set[str]] = defaultdict(set)
    cohorts: dict[str, str] = {}
    for view in LANDMARKS:
        rows = _rows(Path(root) / f"{view}.csv")
        cohorts |= {row[1]: row[0] for row in rows}
        folders = [Path(root) / str(view) / kind for kind in ("images", "masks")]
        for image in {row[1] for row in rows} | {path.stem for folder in folders for path in folder.glob("*.png")}:
            found[(image.split("_")[0], view)].add(image)
    if not found:
        raise InputError(f"'{Path(root).name}' has no landmarks; expected lax_2c.csv and lax_2c/images/0001__00.png")
    return [
        Case(
            name=f"{patient}-{view}",
            patient=patient,
            folder=Path(root),
            facts={"view": str(view), "images": tuple(sorted(images)), "cohort": cohorts.get(min(images), "")},
            files=tuple(_files(Path(root), view, sorted(images))),
        )
        for (patient, view), images in sorted(found.items())
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """The frames of one view with their points, in the image's own plane: neither place nor size are known.

    A point is the middle of its spot, to a fraction of a pixel; without a spot, what the table says, and without
    either NaN. Raises `MissingFileError` for an absent image, `UnreadableFileError` for what is no picture,
    `GeometryError` for frames or masks of different sizes.
    """
    view, images = View(case.facts["view"]), case.facts["images"]
    folder, table = case.folder / str(view), _table(case.folder / f"{view}.csv")
    frames = [_picture(existing(folder / "images" / f"{image}.png")) for image in images]
    sizes = sorted({frame.shape for frame in frames})
    if len(sizes) > 1:
        raise GeometryError(f"'{case.name}' has frames of {sizes[0]} and {sizes[1]} pixels; expected one size")
    affine = np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0])
    issues = [Issue(code="size-unknown", severity="info", message=f"pixels are taken for {PIXEL_MM} mm wide")]
    points = np.full((len(images), len(_SPOTS), 2), np.nan)
    for index, image in enumerate(images):
        points[index], odd = _points(folder / "masks" / f"{image}.png", table.get(image, {}), sizes[0])
        issues += odd
    cine = Cine(
        array=np.stack(frames, axis=2)[:, :, None, :].astype(np.float32),
        affine=affine,
        view=view,
        slice_positions_mm=np.zeros(1),
        orientation_known=False,
        label=case.name,
    )
    placed = apply_affine(affine, np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2))
    landmarks = Landmarks(view=view, points={name: placed[:, k] for k, name in enumerate(LANDMARKS[view])})
    return AnnotatedStudy(
        study=Study(name=case.name, cines=(cine,), issues=tuple(issues)),
        patient=case.patient,
        landmarks={view: landmarks},
        labelled_frames={view: tuple(np.flatnonzero(np.isfinite(points).all(axis=(1, 2))).tolist())},
        facts=case.facts,
    )


DATASET = Dataset(
    card=CARD,
    list_cases=list_cases,
    read_case=read_case,
    shares={"train": 0.6, "validation": 0.2, "test": 0.2},
)


def _files(root: Path, view: View, images: list[str]) -> Iterator[Path]:
    paths = (root / str(view) / kind / f"{image}.png" for image in images for kind in ("images", "masks"))
    return (path for path in (root / f"{view}.csv", *paths) if path.exists())


def _rows(path: Path) -> list[list[str]]:
    """The rows of a table that have all six cells; none where it is absent."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [[cell.strip() for cell in row] for row in csv.reader(file) if len(row) == 6]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFileError(f"'{path.name}' is no table: {error}; fetch the dataset again") from error


def _table(path: Path) -> dict[str, dict[int, Points]]:
    """Image -> number of the point, from 1 -> (x, y); rows without numbers are left out."""
    found: dict[str, dict[int, Points]] = defaultdict(dict)
    for _, image, _, *numbers in _rows(path):
        try:
            number, x, y = (float(text) for text in numbers)
        except ValueError:
            continue
        found[image][int(number)] = np.array([x, y])
    return found


def _picture(path: Path) -> NDArray[np.uint8]:
    """(x, y) grey values."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"), dtype=np.uint8).T
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UnreadableFileError(f"'{path.name}' is no picture: {error}; fetch the dataset again") from error


def _points(path: Path, told: Mapping[int, Points], size: tuple[int, ...]) -> tuple[Points, list[Issue]]:
    """(3, 2) points of an image in pixels, NaN where there is none, and what is odd about them."""
    mask = _picture(path) if path.exists() else np.zeros(size, np.uint8)
    if mask.shape != size:
        raise GeometryError(f"mask '{path.name}' has {mask.shape} pixels, its image {size}; expected one size")
    spots = [np.argwhere(mask == code) for code in _SPOTS]
    drawn = np.array([spot.mean(axis=0) if len(spot) else (np.nan, np.nan) for spot in spots])
    table = np.array([told.get(number, (np.nan, np.nan)) for number in range(1, len(_SPOTS) + 1)])
    points = np.where(np.isfinite(drawn), drawn, table)
    return points, list(_odd(path.stem, drawn, table, points))


def _odd(image: str, drawn: Points, table: Points, points: Points) -> Iterator[Issue]:
    evidence: dict[str, Any] = {"image": image}
    absent = int((~np.isfinite(points).all(axis=1)).sum())
    if absent:
        message = f"image {image} has no {absent} of {len(points)} points, neither as spots nor in the table"
        yield Issue(code="points-absent", severity="warning", message=message, evidence=evidence)
    apart = np.linalg.norm(drawn - table, axis=1)
    if (apart > _FAR_PX).any():
        message = f"spots of image {image} lie up to {np.nanmax(apart):.1f} pixels from the table's points; spots count"
        yield Issue(code="points-differ", severity="warning", message=message, evidence=evidence)
