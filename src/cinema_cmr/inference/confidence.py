"""How far a network's own probabilities let one trust its label map: an estimate of Dice without an expert."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.vocabulary import LABEL_SCHEMES

__all__ = ["expected_dice"]


def expected_dice(prob: NDArray[np.float32], labels: NDArray[np.uint8], *, scheme: str = "cine") -> dict[str, float]:
    """Of each structure, twice the probability inside of its label over the label's and the probability's volume.

    `prob` (x, y, z, class) sums to one, `labels` (x, y, z) are codes of `scheme`, of one frame. This is the ratio
    of expected overlap to expected volumes if each voxel's truth were drawn from `prob`: 1 where the network is
    sure everywhere, lower the more of the border, or of structures it did not label, is in doubt. NaN for a structure
    that is neither labelled nor has probability.
    """
    found = {}
    for label in LABEL_SCHEMES[scheme]:
        where = labels == label.code
        its = prob[..., label.code]
        both = float(np.count_nonzero(where) + its.sum(dtype=np.float64))
        found[label.name] = 2 * float(its[where].sum(dtype=np.float64)) / both if both > 1e-6 else float("nan")
    return found
