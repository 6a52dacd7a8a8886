"""Overlap of two label maps by class, counted in voxels of the image's native grid.

Empty classes follow one rule in all means: a class in neither map scores NaN, which `statistics.mean_interval` excludes
and counts; a class in one map only was missed or invented and scores 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, InputError, unknown_name
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, LABEL_UNIONS

__all__ = ["class_masks", "dice", "dice_by_class", "dice_by_slice"]

Mask = NDArray[np.bool_]
Labels = NDArray[np.integer]


def dice(predicted: Mask, reference: Mask) -> float:
    """Return twice the common voxels over the sum of both masks (Dice 1945), 0 to 1, for masks of any one shape.

    NaN if both are empty, 0 if one is. Raises `GeometryError` for masks on different grids.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    _check_same_shape(predicted, reference)
    return float(_dice_over(predicted, reference, axes=tuple(range(predicted.ndim))))


def dice_by_slice(predicted: Mask, reference: Mask) -> NDArray[np.float64]:
    """Return the (z,) Dice of each slice of masks (x, y, z); NaN in slices that are empty in both."""
    _check_same_shape(predicted, reference)
    return _dice_over(predicted, reference, axes=(0, 1))


def dice_by_class(predicted: Labels, reference: Labels, *, scheme: str = "cine") -> dict[str, float]:
    """Return the Dice of every class of a scheme, e.g. rv, myo, lv, and of its unions.

    Schemes are those of `core.vocabulary.LABEL_SCHEMES`. Both maps hold codes of the scheme on one grid, of any shape:
    (x, y, z) for one frame, (x, y, z, t) for all. Raises `GeometryError` for different grids and `InputError` for a
    code outside the scheme.
    """
    masks = class_masks(predicted, reference, scheme=scheme)
    return {name: dice(first, second) for name, first, second in masks}


def class_masks(predicted: Labels, reference: Labels, *, scheme: str) -> Iterator[tuple[str, Mask, Mask]]:
    """Yield name, predicted mask and reference mask of each class of a scheme, then of its unions.

    An example of a union is the whole myocardium of a scar map. Raises as `dice_by_class` does, before the first class.
    """
    if scheme not in LABEL_SCHEMES:
        raise unknown_name("label scheme", scheme, LABEL_SCHEMES)
    _check_same_shape(predicted, reference)
    classes = LABEL_SCHEMES[scheme]
    allowed = {0, *(label.code for label in classes)}
    _check_codes("prediction", predicted, allowed)
    _check_codes("reference", reference, allowed)
    codes = {label.name: (label.code,) for label in classes}
    unions = {name: sum((codes[part] for part in parts), ()) for name, parts in LABEL_UNIONS.get(scheme, {}).items()}
    groups = {**codes, **unions}
    return ((name, np.isin(predicted, group), np.isin(reference, group)) for name, group in groups.items())


def _dice_over(predicted: Mask, reference: Mask, *, axes: tuple[int, ...]) -> NDArray[np.float64]:
    common = np.count_nonzero(predicted & reference, axis=axes)
    total = np.count_nonzero(predicted, axis=axes) + np.count_nonzero(reference, axis=axes)
    scores = np.full(np.shape(total), np.nan)
    np.divide(2 * common, total, out=scores, where=np.asarray(total) > 0)
    return scores


def _check_same_shape(predicted: NDArray[np.generic], reference: NDArray[np.generic]) -> None:
    if predicted.shape != reference.shape:
        raise GeometryError(
            f"prediction has shape {predicted.shape}, reference {reference.shape}; expected both on the image's grid"
        )


def _check_codes(name: str, labels: Labels, allowed: set[int]) -> None:
    unknown = sorted(set(np.unique(labels).tolist()) - allowed)
    if unknown:
        raise InputError(
            f"{name} holds label codes {unknown}; expected {sorted(allowed)}: translate them when reading the file"
        )
