"""Connected components of a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["largest_component"]


def largest_component(mask: NDArray[np.bool_], weights: NDArray[np.number] | None = None) -> NDArray[np.bool_]:
    """Largest face-connected component of a mask of any number of axes, by voxel count or by total weight.

    `weights` must broadcast to the mask's shape. Of two equal components the first in memory order is kept; an empty
    mask stays empty.

    >>> largest_component(np.array([True, False, True, True])).tolist()
    [False, False, True, True]
    """
    components, n_components = ndimage.label(mask)
    if n_components < 2:
        return mask
    if weights is None:
        sizes = np.bincount(components.ravel())[1:]
    else:
        sizes = ndimage.sum_labels(np.broadcast_to(weights, mask.shape), components, np.arange(1, n_components + 1))
    return np.asarray(components == 1 + int(np.argmax(sizes)))
