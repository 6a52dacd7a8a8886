"""Which of many stand for all: an order in which each next one stands for as much as possible that none yet does."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import UsageError

__all__ = ["order_representatives", "similarity_bytes"]

Floats = NDArray[np.float64]


def similarity_bytes(n: int) -> int:
    """Return the memory that ordering n items takes at most.

    >>> similarity_bytes(1000)
    32000000
    """
    return 4 * 8 * n * n


def order_representatives(
    features: Floats, weights: Floats | None = None, *, known: Sequence[int] = (), n: int | None = None
) -> list[tuple[int, float]]:
    """Return (index, gain) of the `n` best representatives, best first; all of them by default.

    Greedy facility location: the sum over all items of `weights` (n,) times the similarity to the nearest chosen one
    (or to one of `known`) grows as much as possible with each. Similarity is exp(-d^2 / (2 s^2)) of distances d between
    standardised `features` (n, d), s their median. The gain is a share of the largest possible sum, so that the gains
    fall from one to the next, and the order for fewer is the beginning of that for more. Items of equal gain come in
    the order of the list.

    Nemhauser et al., Mathematical Programming 14:265-294, 1978; gains are renewed only where needed (Minoux,
    Optimization Techniques, 1978). Memory is `similarity_bytes`. Raises `UsageError` for features that are no finite
    (n, d) numbers, and for weights below 0.
    """
    if features.ndim != 2 or not np.isfinite(features).all():
        raise UsageError(
            f"features of shape {features.shape}; expected finite numbers, (n, d): leave out what has none"
        )
    weight = np.ones(len(features)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != (len(features),) or not np.isfinite(weight).all() or (weight < 0).any():
        raise UsageError(
            f"weights of shape {weight.shape} for {len(features)} items; expected one of 0 or more for each"
        )
    similar = _similarity(features)
    best = similar[:, list(known)].max(axis=1, initial=0.0)
    known_items = set(known)

    def gain_of(index: int) -> float:
        return float(weight @ np.maximum(similar[:, index] - best, 0.0))

    # A gain only falls as others are chosen: an old one that is still the largest when renewed is the largest of all.
    waiting = [(-gain_of(index), index) for index in range(len(features)) if index not in known_items]
    heapq.heapify(waiting)
    total, order = max(float(weight.sum()), np.finfo(float).tiny), list[tuple[int, float]]()
    while waiting and (n is None or len(order) < n):
        _, index = heapq.heappop(waiting)
        renewed = (-gain_of(index), index)
        if waiting and renewed > waiting[0]:
            heapq.heappush(waiting, renewed)
            continue
        order.append((index, -renewed[0] / total))
        best = np.maximum(best, similar[:, index])
    return order


def _similarity(features: Floats) -> Floats:
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    squares = (scaled**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * scaled @ scaled.T, 0.0)
    others = distances[np.triu_indices(len(features), k=1)]
    scale = float(np.median(others)) if others.size else 0.0
    found: Floats = np.exp(-distances / (2 * scale)) if scale > 0 else np.ones_like(distances)
    return found
