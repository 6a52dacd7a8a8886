"""Landmark: single 2- and 4-chamber frames as PNG, with mitral hinge points and apex marked as spots.

```
lax_2c.csv, lax_4c.csv           without header: cohort, image, view, number of the point, x, y
lax_2c/images/0001__00.png       patient and frame
lax_2c/masks/0001__00.png        85, 170, 255: spots of points 1, 2, 3; the points are their centroids
```
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

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
from cinema_cmr.datasets.listing import parse_integer, parse_number, require_path
from cinema_cmr.files.regular import open_regular
from cinema_cmr.files.text import parse_rows, read_text

__all__ = ["CARD", "DATASET", "PIXEL_MM", "list_cases", "read_case"]

CARD = DatasetCard(
    name="landmark",
    title="Long-axis landmarks of University College London",
    licence="private; agreement with its owners",
    citation="Xue et al., Radiology: Artificial Intelligence 3(5):e200197, 2021, doi 10.1148/ryai.2021200197",
    how_to_get="Ask the authors (University College London); keep lax_2c.csv, lax_4c.csv, lax_2c/ and lax_4c/"
    " together.",
    derived_licence="private; agreement with the owners of the images",
)

PIXEL_MM = 0.25
"""Nominal: the files have no pixel size, and four pixels are one of the protocol's 1 mm grid."""

_VIEWS = (View.LAX_2C, View.LAX_4C)
_SPOTS = (85, 170, 255)
_FAR_PX = 2.0
_MAX_SIDE = 8192
"""Pixels to a side of an image; those of the dataset have some 1000."""
Points = NDArray[np.float64]


def list_cases(root: Path) -> list[Case]:
    """List one case per patient and view, with its frames in order, including images that are only in the table."""
    found: dict[tuple[str, View], set[str]] = defaultdict(set)
    cohorts: dict[str, str] = {}
    for view in _VIEWS:
        rows = _rows(Path(root) / f"{view}.csv")
        cohorts |= {row[1]: row[0] for row in rows}
        folders = [Path(root) / str(view) / kind for kind in ("images", "masks")]
        for image in {row[1] for row in rows} | {path.stem for folder in folders for path in folder.glob("*.png")}:
            found[(image.split("_")[0], view)].add(image)
    if not found:
        raise InputError(
            f"'{Path(root).name}' has no landmarks; expected lax_2c.csv and lax_2c/images/0001__00.png: check the path"
        )
    return [
        Case(
            name=f"{patient}-{view}",
            patient=patient,
            folder=Path(root),
            facts={"view": str(view), "cohort": cohorts.get(min(images), "")},
            files=tuple(_files(Path(root), view, sorted(images))),
            masks=_masks(Path(root), view, sorted(images)),
        )
        for (patient, view), images in sorted(found.items())
    ]


def read_case(case: Case) -> AnnotatedStudy:
    """Read the frames of one view with their landmarks, in image coordinates: position and size are unknown.

    A landmark is the centroid of its spot; without a spot, the point in the table, and without either NaN. Raises
    `MissingFileError` for a missing image, `UnreadableFileError` for an invalid picture, `GeometryError` for frames or
    masks of different sizes.
    """
    view = View(str(case.facts["view"]))
    table = _table(case.folder / f"{view}.csv")
    frames = [_picture(require_path(image)) for image in case.masks]
    sizes = sorted({frame.shape for frame in frames})
    if len(sizes) > 1:
        raise GeometryError(
            f"'{case.name}' has frames of {sizes[0]} and {sizes[1]} pixels; expected one size: fetch the dataset again"
        )
    affine = np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0])
    issues = [
        Issue(code="size-unknown", severity="info", message=f"the pixel size is unknown; {PIXEL_MM} mm was assumed")
    ]
    points = np.full((len(frames), len(_SPOTS), 2), np.nan)
    for index, (image, mask) in enumerate(case.masks.items()):
        points[index], found = _points(mask, image.stem, table.get(image.stem, {}), sizes[0])
        issues += found
    cine = Cine(
        array=np.stack(frames, axis=2)[:, :, None, :].astype(np.float32),
        affine=affine,
        view=view,
        slice_positions_mm=np.zeros(1),
        orientation_known=False,
        label=case.name,
    )
    points_mm = apply_affine(affine, np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2))
    landmarks = Landmarks(view=view, points={name: points_mm[:, k] for k, name in enumerate(LANDMARKS[view])})
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


def _masks(root: Path, view: View, images: list[str]) -> dict[Path, Path | None]:
    folder = root / str(view)
    return {folder / "images" / f"{image}.png": folder / "masks" / f"{image}.png" for image in images}


def _files(root: Path, view: View, images: list[str]) -> Iterator[Path]:
    paths = (root / str(view) / kind / f"{image}.png" for image in images for kind in ("images", "masks"))
    return (path for path in (root / f"{view}.csv", *paths) if path.exists())


def _rows(path: Path) -> list[list[str]]:
    """Return the rows of a table that have all six cells; empty if it is absent."""
    if not path.exists():
        return []
    return [[cell.strip() for cell in row] for row in parse_rows(read_text(path), path.name) if len(row) == 6]


def _table(path: Path) -> dict[str, dict[int, Points]]:
    """Return image -> number of the point, from 1 -> (x, y); rows without numbers are omitted."""
    found: dict[str, dict[int, Points]] = defaultdict(dict)
    for _, image, _, point, *place in _rows(path):
        number, x, y = parse_integer(point), *map(parse_number, place)
        if number is not None and x is not None and y is not None:
            found[image][number] = np.array([x, y])
    return found


def _picture(path: Path) -> NDArray[np.uint8]:
    """Read an image as (x, y) grey values."""
    try:
        with open_regular(path) as stream, Image.open(stream) as picture:
            if max(picture.size) > _MAX_SIDE:
                raise UnreadableFileError(
                    f"'{path.name}' has {picture.size[0]} x {picture.size[1]} pixels; expected at most {_MAX_SIDE} to a"
                    " side: fetch the dataset again"
                )
            return np.asarray(picture.convert("L"), dtype=np.uint8).T
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise UnreadableFileError(
            f"'{path.name}' is not an image ({error}); expected PNG: fetch the dataset again"
        ) from error


def _points(
    path: Path | None, image: str, table_points: Mapping[int, Points], size: tuple[int, ...]
) -> tuple[Points, list[Issue]]:
    """Return the (3, 2) points of an image in pixels, NaN if absent, and issues about them."""
    mask = _picture(path) if path is not None and path.exists() else np.zeros(size, np.uint8)
    if mask.shape != size:
        raise GeometryError(
            f"mask '{image}.png' has {mask.shape} pixels, its image {size}; expected one size: fetch the dataset again"
        )
    spots = [np.argwhere(mask == code) for code in _SPOTS]
    centroids = np.array([spot.mean(axis=0) if len(spot) else (np.nan, np.nan) for spot in spots])
    table = np.array([table_points.get(number, (np.nan, np.nan)) for number in range(1, len(_SPOTS) + 1)])
    points = np.where(np.isfinite(centroids), centroids, table)
    return points, list(_point_issues(image, centroids, table, points))


def _point_issues(image: str, centroids: Points, table: Points, points: Points) -> Iterator[Issue]:
    evidence = {"image": image}
    missing = int((~np.isfinite(points).all(axis=1)).sum())
    if missing:
        message = f"image {image} lacks {missing} of {len(points)} landmarks, as spots and in the table"
        yield Issue(code="points-absent", severity="warning", message=message, evidence=evidence)
    distances = np.linalg.norm(centroids - table, axis=1)
    if (distances > _FAR_PX).any():
        message = (
            f"spots of image {image} are up to {np.nanmax(distances):.1f} pixels from the points in the table; the"
            " spots were used"
        )
        yield Issue(code="points-differ", severity="warning", message=message, evidence=evidence)
