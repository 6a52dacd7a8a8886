"""The soft Dice: by hand, and against labels drawn from the very probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.inference.confidence import expected_dice
from cinema_cmr.score.overlap import dice


def test_two_voxels_by_hand() -> None:
    prob = np.zeros((2, 1, 1, 4), np.float32)
    prob[0, 0, 0] = (0.1, 0.0, 0.1, 0.8)
    prob[1, 0, 0] = (0.6, 0.0, 0.0, 0.4)
    found = expected_dice(prob, np.array([3, 0], np.uint8).reshape(2, 1, 1))
    # LV: 2 * 0.8 / (1 + 1.2); MYO is not labelled but has probability; RV is nowhere.
    assert found["lv"] == pytest.approx(1.6 / 2.2) and found["myo"] == 0.0 and np.isnan(found["rv"])


def test_a_sure_network_is_trusted_in_full() -> None:
    labels = np.arange(4, dtype=np.uint8).reshape(4, 1, 1).repeat(5, axis=1)
    assert expected_dice(np.eye(4, dtype=np.float32)[labels], labels) == {"rv": 1.0, "myo": 1.0, "lv": 1.0}


def test_it_is_the_dice_to_expect_where_probabilities_are_true() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(-3, 3, 60)
    lv = 1 / (1 + np.exp(6 * (np.hypot(x[:, None], x[None, :]) - 1.6)))
    prob = np.zeros((60, 60, 1, 4), np.float32)
    prob[..., 0, 3], prob[..., 0, 0] = lv, 1 - lv
    labels = prob.argmax(axis=-1).astype(np.uint8)
    drawn = [dice(labels == 3, rng.random((60, 60, 1)) < prob[..., 3]) for _ in range(200)]
    assert expected_dice(prob, labels)["lv"] == pytest.approx(np.mean(drawn), abs=0.003)


def test_a_doubtful_border_lowers_it() -> None:
    x = np.linspace(-3, 3, 60)
    distance = np.hypot(x[:, None], x[None, :]) - 1.6
    values = []
    for sharp in (30, 6, 2):
        prob = np.zeros((60, 60, 1, 4), np.float32)
        prob[..., 0, 3] = 1 / (1 + np.exp(sharp * distance))
        prob[..., 0, 0] = 1 - prob[..., 0, 3]
        values.append(expected_dice(prob, prob.argmax(axis=-1).astype(np.uint8))["lv"])
    assert values[0] > 0.97 > values[1] > values[2]
