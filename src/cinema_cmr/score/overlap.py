"""How much two label maps overlap, by class, counted in voxels of the image's native grid.

The rule for empty classes, the same wherever a mean is taken over it:

- in neither map: nothing was asked and nothing was answered. The score is NaN; `statistics.mean_interval`
  leaves it out and counts it.
- in one map only: the structure was missed or invented. The score is 0.
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
    """Twice the common voxels over the sum of both masks (Dice 1945), 0 to 1; masks of any one shape.

    NaN where both are empty, 0 where one is. Raises `GeometryError` for masks on different grids.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    _check_same_shape(predicted, reference)
    return float(_dice_over(predicted, reference, axes=tuple(range(predicted.ndim))))


def dice_by_slice(predicted: Mask, reference: Mask) -> NDArray[np.float64]:
    """Dice of each slice on its own: masks (x, y, z) -> (z,), NaN in slices that neither mask reaches."""
    _check_same_shape(predicted, reference)
    return _dice_over(predicted, reference, axes=(0, 1))


def dice_by_class(predicted: Labels, reference: Labels, *, scheme: str = "cine") -> dict[str, float]:
    """Dice of every class of a scheme of `core.vocabulary.LABEL_SCHEMES`, e.g. rv, myo, lv, and of its unions.

    Both maps hold the scheme's codes on one grid, of any shape: (x, y, z) for one frame, (x, y, z, t) for
    all. Raises `GeometryError` for different grids and `InputError` for a code that the scheme does not know.
    """
    masks = class_masks(predicted, reference, scheme=scheme)
    return {name: dice(of_prediction, of_reference) for name, of_prediction, of_reference in masks}


def class_masks(predicted: Labels, reference: Labels, *, scheme: str) -> Iterator[tuple[str, Mask, Mask]]:
    """The classes of a scheme and then its unions (the scar's whole myocardium), one by one: name, where the
    prediction has it, where the reference has it.

    Raises as `dice_by_class` does, before the first class.
    """
    if scheme not in LABEL_SCHEMES:
        raise unknown_name("label scheme", scheme, LABEL_SCHEMES)
    _check_same_shape(predicted, reference)
    classes = LABEL_SCHEMES[scheme]
    known = {0, *(label.code for label in classes)}
    _check_codes("prediction", predicted, known)
    _check_codes("reference", reference, known)
    codes = {label.name: (label.code,) for label in classes}
    unions = {name: sum((codes[part] for part in parts), ()) for name, parts in LABEL_UNIONS.get(scheme, {}).items()}
    every = {**codes, **unions}
    return ((name, np.isin(predicted, its), np.isin(reference, its)) for name, its in every.items())


def _dice_over(predicted: Mask, reference: Mask, *, axes: tuple[int, ...]) -> NDArray[np.float64]:
    common = np.count_nonzero(predicted & reference, axis=axes)
    total = np.count_nonzero(predicted, axis=axes) + np.count_nonzero(reference, axis=axes)
    scores = np.full(np.shape(total), np.nan)
    np.divide(2 * common, total, out=scores, where=np.asarray(total) > 0)
    return scores


def _check_same_shape(predicted: NDArray[np.generic], reference: NDArray[np.generic]) -> None:
    if predicted.shape != reference.shape:
        raise GeometryError(
            f"prediction has shape {predicted.shape}, reference {reference.shape}; both must be on the image's own grid"
        )


def _check_codes(name: str, labels: Labels, known: set[int]) -> None:
    unknown = sorted(set(np.unique(labels).tolist()) - known)
    if unknown:
        raise InputError(
            f"{name} holds label codes {unknown}; expected {sorted(known)}: translate the codes when the file is read"
        )
