"""Label sets made wrong in every way: each is refused or remarked upon, and none is learned from in silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import CinemaError
from cinema_cmr.datasets.reading import find_cases, read_cases
from cinema_cmr.tasks.segment import SegmentConfig, SegmentTask

Array = NDArray[np.generic]
AFFINE = np.diag([-1.5, -1.5, 10.0, 1.0])
SHAPE = (64, 60, 7)


@cache
def labels() -> NDArray[np.uint8]:
    """A heart (x, y, z, t) at ED and ES: RV beside a round LV that tapers to the apex; ends without labels."""
    x, y = np.meshgrid(*(np.arange(n) for n in SHAPE[:2]), indexing="ij")
    codes = np.zeros((*SHAPE, 2), np.uint8)
    for t, size in enumerate((1.0, 0.72)):
        for z in range(1, 6):
            taper = 1 - 0.09 * (z - 1)
            from_lv = np.hypot(x - 34, y - 27)
            rv = np.hypot((x - 19) / 1.0, (y - 24) / 1.3) < 10 * taper * (1 + size) / 2
            codes[..., z, t][rv] = 1
            codes[..., z, t][from_lv < 15 * taper] = 2
            codes[..., z, t][from_lv < 10.5 * taper * size] = 3
    return codes


@cache
def image() -> NDArray[np.float32]:
    """Blood bright, wall dark, as cines have them, with noise."""
    brightness = np.array([160, 520, 120, 560], np.float32)
    rng = np.random.default_rng(0)
    return np.asarray(brightness[labels()] + rng.normal(0, 40, labels().shape), np.float32)


def coded(*codes: float) -> Callable[[Array], Array]:
    """Background, RV, myocardium and LV with other codes."""
    return lambda array: np.array(codes)[array.astype(int)]


def only(structure: int, code: int) -> Callable[[Array], Array]:
    return lambda array: np.where(array == structure, code, 0)


def in_frame(t: int, change: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def changed(array: Array) -> Array:
        return np.stack([change(array[..., k]) if k == t else array[..., k] for k in range(2)], axis=-1)

    return changed


def shifted(step: int, axis: int) -> Callable[[Array], Array]:
    return lambda array: np.roll(array, step, axis)


def slices_kept(*kept: int) -> Callable[[Array], Array]:
    return lambda array: np.where(np.isin(np.arange(SHAPE[2]), kept)[:, None], array, 0)


def blurred(array: Array) -> Array:
    """As after interpolation to another grid and back."""
    return (array + np.roll(array, 1, 0)) / 2


def stray(code: int) -> Callable[[Array], Array]:
    def changed(array: Array) -> Array:
        array = array.copy()
        array[2, 2, 3] = code
        return array

    return changed


def noise(array: Array) -> Array:
    return np.random.default_rng(1).integers(0, 4, array.shape)


WRONG: dict[str, Callable[[Array], Array]] = {
    # codes
    "LV and RV exchanged": coded(0, 3, 2, 1),
    "LV and myocardium exchanged": coded(0, 1, 3, 2),
    "RV and myocardium exchanged": coded(0, 2, 1, 3),
    "codes turned round one way": coded(0, 2, 3, 1),
    "codes turned round the other way": coded(0, 3, 1, 2),
    "LV is 4": coded(0, 1, 2, 4),
    "tens": coded(0, 10, 20, 30),
    "grey levels": coded(0, 85, 170, 255),
    "background is 1": coded(1, 2, 3, 4),
    "background is 255": coded(255, 1, 2, 3),
    "negative codes": coded(0, -1, -2, -3),
    "codes from 0, background 3": coded(3, 0, 1, 2),
    "everything is 1": coded(0, 1, 1, 1),
    "the LV filled with wall": coded(0, 1, 2, 2),
    "no wall": coded(0, 1, 0, 3),
    "the background inverted": lambda array: np.where(array == 0, 3, 0),
    # structures
    "LV alone, as 1": only(3, 1),
    "LV alone, as 3": only(3, 3),
    "wall alone, as 1": only(2, 1),
    "wall alone, as 2": only(2, 2),
    "RV alone": only(1, 1),
    "no RV": coded(0, 0, 2, 3),
    "no RV but a stray voxel": lambda array: stray(1)(coded(0, 0, 2, 3)(array)),
    # flips and offsets
    "mirrored in x": lambda array: array[::-1],
    "mirrored in y": lambda array: array[:, ::-1],
    "half a turn": lambda array: array[::-1, ::-1],
    "frames exchanged": lambda array: array[..., ::-1],
    "ED drawn in both frames": lambda array: array[..., [0, 0]],
    "slices in the other order": lambda array: array[:, :, ::-1],
    "five pixels off in y": shifted(5, 1),
    "a slice off": shifted(1, 2),
    "eight pixels off in x": shifted(8, 0),
    "eight pixels off in y": shifted(-8, 1),
    "twenty pixels off": shifted(20, 0),
    "two slices off": shifted(2, 2),
    "axes exchanged, cut to shape": lambda array: np.pad(array.transpose(1, 0, 2, 3), ((0, 4), (0, 0), (0, 0), (0, 0)))[
        :, :60
    ],
    "noise": noise,
    # another grid
    "a row fewer": lambda array: array[:-1],
    "axes exchanged": lambda array: array.transpose(1, 0, 2, 3),
    "half the pixels": lambda array: array[::2, ::2],
    "a slice fewer": lambda array: array[:, :, :-1],
    "a slice more": lambda array: np.concatenate([array, array[:, :, -1:]], axis=2),
    "one frame of two": lambda array: array[..., 0],
    "three frames of two": lambda array: array[..., [0, 1, 1]],
    "a layer a structure": lambda array: np.stack([array == code for code in (1, 2, 3)], axis=-1).astype(np.uint8),
    "five axes": lambda array: array[..., None].repeat(2, axis=-1),
    # empty, parts
    "empty": np.zeros_like,
    "no RV at ES": in_frame(1, coded(0, 0, 2, 3)),
    "ES is empty": in_frame(1, np.zeros_like),
    "one slice": slices_kept(3),
    "every second slice": slices_kept(1, 3, 5),
    "three slices": slices_kept(2, 3, 4),
    "all but the slice at the apex": slices_kept(1, 2, 3, 4),
    # floats, overlaps
    "halves": coded(0, 0.5, 1, 1.5),
    "interpolated": blurred,
    "probabilities": lambda array: array / 3.0,
    "not a number": lambda array: np.where(array == 3, np.nan, array),
    "infinite": lambda array: np.where(array == 3, np.inf, array),
    "bits of overlapping structures": lambda array: np.array([0, 1, 2, 6])[array.astype(int)],
    "overlaps added": lambda array: array.astype(int) + np.where(np.roll(array, 5, 0) == 1, 3, 0),
    "the image itself": lambda array: image(),
}

PARTS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "LV, the outer border filled": ("1=lv", lambda array: np.where(array >= 2, 1, 0)),
    "wall, the outer border filled": ("1=myo", lambda array: np.where(array >= 2, 1, 0)),
    "the wall said to be LV": ("1=lv", only(2, 1)),
    "the LV said to be wall": ("1=myo", only(3, 1)),
    "the RV said to be wall": ("1=myo", only(1, 1)),
    "the LV said to be RV": ("1=rv", only(3, 1)),
    "the wall said to be RV": ("1=rv", only(2, 1)),
    "LV and RV exchanged, no wall": ("1=lv 2=rv", coded(0, 1, 0, 2)),
    "wall and RV exchanged, no LV": ("1=myo 2=rv", coded(0, 1, 2, 0)),
    **{
        f"{name} alone {how}": (f"1={name}", lambda array, code=code, change=change: change(only(code, 1)(array)))
        for name, code in (("rv", 1), ("myo", 2), ("lv", 3))
        for how, change in {
            "mirrored in x": lambda array: array[::-1],
            "mirrored in y": lambda array: array[:, ::-1],
            "slices in the other order": lambda array: array[:, :, ::-1],
            "frames exchanged": lambda array: array[..., ::-1],
            "six pixels off": shifted(6, 1),
            "a slice off": shifted(1, 2),
        }.items()
    },
}
"""Some structures drawn, under the codes that are stated: nothing nests, and no other structure is beside them."""

AFFINES = {
    "elsewhere": AFFINE + np.array([[0, 0, 0, 20.0], *[[0] * 4] * 3]),
    "mirrored in its header": AFFINE @ np.diag([-1.0, 1, 1, 1]),
    "other pixel size": AFFINE @ np.diag([0.8, 0.8, 1, 1]),
    "other slice distance": AFFINE @ np.diag([1.0, 1, 1.25, 1]),
    "a slice off in its header": AFFINE + np.array([*[[0.0] * 4] * 2, [0, 0, 0, 10.0], [0.0] * 4]),
}


def write(folder: Path, mask: Array, affine: NDArray[np.float64] = AFFINE) -> Path:
    nibabel.save(nibabel.Nifti1Image(image(), AFFINE), folder / "p1.nii")
    stored = mask.astype(np.float32) if mask.dtype.kind in "fi" else mask.astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(stored, affine), folder / "p1_seg.nii")
    return folder


def objections(folder: Path, codes: Sequence[str] = ()) -> list[str]:
    """What a run on this folder says about its labels before it learns: notes, or the error it ends with."""
    notes: list[str] = []
    dataset, cases = find_cases(str(folder), codes=codes, note=notes.append)
    studies = list(read_cases(dataset, cases, {case.patient for case in cases}, note=notes.append))
    task = SegmentTask(SegmentConfig(grid=Grid(spacing_mm=1.5, size=(48, 48))), nn.Identity())
    try:
        task.check_examples([example for study in studies for example in task.examples(study)])
    except CinemaError as error:
        notes.append(str(error))
    return notes


def test_right_labels_pass_without_a_word(tmp_path: Path) -> None:
    assert objections(write(tmp_path, labels())) == []


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_wrong_labels_are_refused_or_remarked(tmp_path: Path, change: Callable[[Array], Array]) -> None:
    found = objections(write(tmp_path, np.asarray(change(labels()))))
    assert found and all(len(text) > 30 for text in found)


@pytest.mark.parametrize(("codes", "structures"), [("1=lv", (3,)), ("1=myo", (2,)), ("1=lv 2=rv", (3, 1))])
def test_parts_of_right_labels_pass_without_a_word(tmp_path: Path, codes: str, structures: tuple[int, ...]) -> None:
    table = [0, 0, 0, 0]
    for number, structure in enumerate(structures):
        table[structure] = number + 1
    assert objections(write(tmp_path, coded(*table)(labels())), codes.split()) == []


@pytest.mark.parametrize(("codes", "change"), PARTS.values(), ids=PARTS.keys())
def test_wrong_parts_are_remarked(tmp_path: Path, codes: str, change: Callable[[Array], Array]) -> None:
    found = objections(write(tmp_path, np.asarray(change(labels()))), codes.split())
    assert found and all(len(text) > 30 for text in found)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
def test_masks_that_lie_elsewhere_are_refused(tmp_path: Path, affine: NDArray[np.float64]) -> None:
    (text,) = objections(write(tmp_path, labels(), affine))
    assert text.startswith("left out: p1: ") and "export it again" in text


def test_there_are_fifty_of_them() -> None:
    assert len(WRONG) + len(AFFINES) >= 50
