"""Dice against hand-made masks, and against MONAI where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from blobs import PAIRS
from scipy.spatial.distance import dice as dice_dissimilarity

from cinema_cmr.core.errors import GeometryError, InputError, UsageError
from cinema_cmr.score.overlap import class_masks, dice, dice_by_class, dice_by_slice


def one_slice(*rows: str) -> np.ndarray:
    """Label map (x, y, 1) from rows of digits."""
    return np.array([[int(digit) for digit in row] for row in rows], dtype=np.uint8)[:, :, None]


def test_dice_is_twice_the_common_voxels_over_the_sum() -> None:
    predicted = np.zeros((6, 6, 2), dtype=bool)
    reference = predicted.copy()
    predicted[:4, :5, 0] = True
    reference[2:6, :5, 0] = True
    assert dice(predicted, reference) == pytest.approx(2 * 10 / (20 + 20))


def test_dice_does_not_depend_on_who_is_the_reference() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 8, 7, 3)) > 0.5
    assert dice(a, b) == dice(b, a)


def test_both_empty_is_undefined_and_one_empty_is_zero() -> None:
    empty, full = np.zeros((3, 3, 1), dtype=bool), np.ones((3, 3, 1), dtype=bool)
    assert np.isnan(dice(empty, empty))
    assert dice(empty, full) == 0
    assert dice(full, empty) == 0


def test_a_single_voxel_is_right_or_wrong() -> None:
    a, b = np.zeros((2, 5, 5, 1), dtype=bool)
    a[2, 2, 0] = b[2, 2, 0] = True
    assert dice(a, b) == 1
    b[2, 2, 0], b[2, 3, 0] = False, True
    assert dice(a, b) == 0


def test_classes_are_scored_apart_with_the_rule_for_empty_ones() -> None:
    predicted = one_slice("0110", "0330")
    reference = one_slice("0100", "0330")
    scores = dice_by_class(predicted, reference)
    assert list(scores) == ["rv", "myo", "lv"]
    assert scores["rv"] == pytest.approx(2 / 3)
    assert np.isnan(scores["myo"])
    assert scores["lv"] == 1


def test_slices_are_scored_apart() -> None:
    predicted, reference = np.zeros((2, 4, 4, 3), dtype=bool)
    predicted[:2, :, 0] = reference[:, :, 0] = True
    reference[:, :, 1] = True
    assert dice_by_slice(predicted, reference).tolist()[:2] == pytest.approx([2 / 3, 0])
    assert np.isnan(dice_by_slice(predicted, reference)[2])


def test_frames_count_together_when_given_together() -> None:
    predicted, reference = np.zeros((2, 4, 4, 1, 2), dtype=np.uint8)
    predicted[..., 0] = reference[..., 0] = 3
    reference[..., 1] = 3
    assert dice_by_class(predicted, reference)["lv"] == pytest.approx(2 * 16 / (16 + 32))


def test_other_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"\(4, 4, 2\).*\(4, 4, 3\)"):
        dice(np.ones((4, 4, 2), dtype=bool), np.ones((4, 4, 3), dtype=bool))


def test_untranslated_codes_are_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"reference holds label codes \[4\]"):
        class_masks(one_slice("0123"), one_slice("0124"), scheme="cine")


def test_unknown_scheme_names_the_known() -> None:
    with pytest.raises(UsageError, match="did you mean 'cine'"):
        dice_by_class(one_slice("0"), one_slice("0"), scheme="cinee")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_agrees_with_monai() -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(1)
    predicted, reference = rng.integers(0, 3, size=(2, 9, 8, 4)).astype(np.uint8)
    theirs = metrics.compute_dice(
        torch.tensor(np.stack([predicted == code for code in (1, 2, 3)])[None]),
        torch.tensor(np.stack([reference == code for code in (1, 2, 3)])[None]),
    )
    ours = dice_by_class(predicted, reference)
    np.testing.assert_allclose(list(ours.values()), theirs[0].numpy(), rtol=1e-6)


def test_the_wall_of_a_scar_map_is_scored_as_a_whole_too() -> None:
    """A lesion taken for healthy wall is wrong as a lesion and right as wall."""
    scores = dice_by_class(one_slice("0122", "0133"), one_slice("0122", "0134"), scheme="scar")
    assert list(scores) == ["lv_cavity", "myo_normal", "infarct", "no_reflow", "myocardium"]
    assert scores["infarct"] == pytest.approx(2 / 3) and scores["no_reflow"] == 0 and scores["myocardium"] == 1


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_dice_is_one_less_scipys_dissimilarity(first: np.ndarray, second: np.ndarray) -> None:
    assert dice(first, second) == pytest.approx(1 - dice_dissimilarity(first.ravel(), second.ravel()))
