"""Confidence of a label map from the probabilities of the network: an estimate of Dice without a reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.vocabulary import LABEL_SCHEMES

__all__ = ["expected_dice", "mean_probability"]


def expected_dice(prob: NDArray[np.float32], labels: NDArray[np.uint8], *, scheme: str = "cine") -> dict[str, float]:
    """Return the expected Dice of each structure if the true class of each voxel were drawn from `prob`.

    It is twice the probability inside the label over the sum of label and probability volume: 1 for certain
    probabilities, and lower the more of the border, or of unlabelled structures, is uncertain. `prob` (x, y, z, class)
    sums to one, `labels` (x, y, z) are codes of `scheme`, both of one frame. NaN for a structure without label and
    probability.
    """
    dice = {}
    for label in LABEL_SCHEMES[scheme]:
        inside, class_prob = labels == label.code, prob[..., label.code]
        volumes = float(np.count_nonzero(inside) + class_prob.sum(dtype=np.float64))
        overlap = float(class_prob[inside].sum(dtype=np.float64))
        dice[label.name] = 2 * overlap / volumes if volumes > 1e-6 else float("nan")
    return dice


def mean_probability(prob: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Return the mean probability (x, y, z, class) of the labels (x, y, z) over the foreground; NaN without any."""
    foreground = labels > 0
    if not foreground.any():
        return float("nan")
    return float(np.take_along_axis(prob[foreground], labels[foreground][:, None].astype(np.int64), axis=1).mean())
