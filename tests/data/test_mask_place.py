"""Masks fit best where they lie; wherever else they would fit better is named."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.mask_place import MaskPlace, mask_place

SHAPE = (64, 60, 7)


@cache
def labels() -> NDArray[np.uint8]:
    """A heart (x, y, z, t): RV beside an LV that tapers to the apex, at ED and ES."""
    x, y = np.meshgrid(*map(np.arange, SHAPE[:2]), indexing="ij")
    codes = np.zeros((*SHAPE, 2), np.uint8)
    for t, size in enumerate((1.0, 0.7)):
        for z in range(6):
            taper = 1 - 0.1 * z
            from_lv = np.hypot(x - 36, y - 24)
            codes[..., z, t][np.hypot(x - 20, y - 21) < 11 * taper * (1 + size) / 2] = 1
            codes[..., z, t][from_lv < 15 * taper] = 2
            codes[..., z, t][from_lv < 10 * taper * size] = 3
    return codes


@cache
def cine() -> Cine:
    brightness = np.array([200, 520, 120, 560], np.float32)
    noise = np.random.default_rng(0).normal(0, 50, labels().shape)
    array = np.asarray(brightness[labels()] + noise, np.float32)
    affine = np.diag([1.5, 1.5, 8.0, 1.0])
    return Cine(array=array, affine=affine, view=View.SAX, slice_positions_mm=8.0 * np.arange(SHAPE[2]))


def place(codes: NDArray[np.uint8]) -> MaskPlace:
    found = mask_place(cine(), LabelMap(array=np.ascontiguousarray(codes)), (0, 1))
    assert found is not None
    return found


STRUCTURES = {"all": (1, 2, 3), "LV": (3,), "wall": (2,), "RV": (1,), "LV and RV": (1, 3), "wall and RV": (1, 2)}
CHANGES = {
    "mirrored in x": lambda codes: codes[::-1],
    "mirrored in y": lambda codes: codes[:, ::-1],
    "mirrored in z": lambda codes: codes[:, :, ::-1],
    "moved by some 4 pixels": lambda codes: np.roll(codes, 4, 0),
    "moved by some 8 pixels": lambda codes: np.roll(codes, -8, 1),
    "moved by a slice": lambda codes: np.roll(codes, 1, 2),
    "with their frames exchanged": lambda codes: codes[..., ::-1],
}


@pytest.mark.parametrize("drawn", STRUCTURES.values(), ids=STRUCTURES.keys())
def test_right_masks_fit_best_where_they_are(drawn: tuple[int, ...]) -> None:
    found = place(np.where(np.isin(labels(), drawn), labels(), 0))
    assert found.auc > found.min_auc and not found.better and found.better_auc is None


@pytest.mark.parametrize("drawn", STRUCTURES.values(), ids=STRUCTURES.keys())
@pytest.mark.parametrize("name", CHANGES)
def test_masks_that_lie_elsewhere_would_fit_better_where_they_belong(name: str, drawn: tuple[int, ...]) -> None:
    codes = np.where(np.isin(labels(), drawn), labels(), 0).astype(np.uint8)
    found = place(CHANGES[name](codes))
    if name == "mirrored in z" and drawn == (3,):
        assert found.better
        return
    assert found.better == name
    assert found.better_auc is not None and found.better_auc > found.auc + 0.01


def test_the_outer_border_as_the_lv_is_hardly_brighter_than_what_surrounds_it() -> None:
    found = place(np.where(labels() >= 2, 3, 0).astype(np.uint8))
    assert found.auc < found.min_auc


def test_too_few_voxels_and_other_schemes_have_no_place() -> None:
    few = np.zeros_like(labels())
    few[30, 30, 3] = 3
    assert mask_place(cine(), LabelMap(array=few), (0, 1)) is None
    assert mask_place(cine(), LabelMap(array=labels(), scheme="scar"), (0, 1)) is None
    assert mask_place(cine(), LabelMap(array=np.zeros_like(labels())), (0, 1)) is None
