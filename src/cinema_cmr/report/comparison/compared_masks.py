"""Whether two results lie on one grid and the same images, and how far their masks overlap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.geometry import corner_distance_mm
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.report.comparison.compared import ComparedFrame, ComparedSide, ComparedView
from cinema_cmr.score.overlap import dice_by_class

__all__ = ["comparable_masks", "compared_views", "grid_difference", "same_images"]

_OFF_GRID = 0.1
"""Farthest that the corners of one grid may lie from those of the other, in pixels."""
_SAME_GREY = 1e-4
"""Difference of grey values that rounding leaves, as a fraction of their range."""


def same_images(first: ComparedSide, second: ComparedSide) -> bool | None:
    """Return whether both results are of the same images: by their values where both are at hand, else by their hashes.

    None where neither says so. One input may hold several stacks, so that values come first.
    """
    found = [_images_agree(first, second, view) for view in first.grids if view in second.grids]
    known = [agree for agree in found if agree is not None]
    hashes = first.record.study.input_sha256, second.record.study.input_sha256
    if known:
        return all(known)
    return None if None in hashes else hashes[0] == hashes[1]


def compared_views(first: ComparedSide, second: ComparedSide, *, same: bool | None) -> tuple[ComparedView, ...]:
    """Return the overlap of each view that both results have masks of; with the reason where there is none.

    `same`: whether both are of the same images. Masks of two different scans are not laid over each other, even where
    their grids agree.
    """
    return tuple(_view(first, second, view, same) for view in View if view in first.grids and view in second.grids)


def comparable_masks(first: ComparedSide, second: ComparedSide, view: View) -> tuple[LabelMap, LabelMap]:
    """Return both masks of a view in one scheme: without the atria, unless both results have them in any view.

    A model without atria missed none. Of two results with atria, one that is in the mask of one alone was missed.
    """
    masks = first.labels[view], second.labels[view]
    if masks[0].scheme == masks[1].scheme == "scar":
        return masks
    is_shared = view.is_long_axis and first.has_atria and second.has_atria
    scheme = "chambers" if is_shared else "cine"
    return masks[0].in_scheme(scheme), masks[1].in_scheme(scheme)


def grid_difference(first: Cine, second: Cine) -> str:
    """Return how two grids differ, in words; empty where they agree within a tenth of a pixel."""
    if first.shape != second.shape:
        sizes = [" x ".join(map(str, one.shape)) for one in (first, second)]
        return f"the grids differ: {sizes[0]} and {sizes[1]} (columns, rows, slices, frames)"
    if not (first.orientation_known and second.orientation_known):
        return ""
    off_mm = corner_distance_mm(first.affine, second.affine, first.shape)
    if off_mm > _OFF_GRID * min(first.spacing_mm[:2]):
        return f"the grids differ: they are of one size, and lie up to {off_mm:.1f} mm apart"
    return ""


def _view(first: ComparedSide, second: ComparedSide, view: View, same: bool | None) -> ComparedView:
    reason = grid_difference(first.grids[view], second.grids[view])
    agree = _images_agree(first, second, view)
    same = same if agree is None else agree
    if not reason and not same:
        reason = (
            "the grids agree, but the images are not the same"
            if same is False
            else "the grids agree, but whether the images are the same is unknown"
        )
    if reason:
        return ComparedView(view=view, reason=reason, dice={})
    masks = comparable_masks(first, second, view)
    frames = tuple(
        ComparedFrame(title=title, frame=frame, dice=_dice(*(mask.select([frame]) for mask in masks)))
        for title, frame in _marked_frames(first, second, view)
    )
    return ComparedView(view=view, reason="", frames=frames, dice=_dice(*masks))


def _marked_frames(first: ComparedSide, second: ComparedSide, view: View) -> Iterator[tuple[str, int]]:
    """Yield title and index of ED and ES of either result; of a still image, and without both, the first frame.

    They are frames of the short-axis stack: a view of another number of frames has none.
    """
    n_frames = first.grids[view].n_frames
    stack = first.grids.get(View.SAX, first.grids[view])
    pairs = [
        (title, getattr(first.record.summary, name), getattr(second.record.summary, name))
        for title, name in (("End-diastole", "ed_frame"), ("End-systole", "es_frame"))
    ]
    if all(frame is None for _, *both in pairs for frame in both):
        yield ("Late enhancement" if first.record.study.modality == "lge" else "First frame"), 0
    elif stack.n_frames == n_frames:
        for title, own, other in pairs:
            if own == other:
                yield title, own
                continue
            yield from (
                (f"{title} of {side.title}", frame)
                for side, frame in ((first, own), (second, other))
                if frame is not None
            )


def _images_agree(first: ComparedSide, second: ComparedSide, view: View) -> bool | None:
    """Return whether the stored images of a view are equal; None where one is not at hand."""
    cines = [side.study.cine(view) if view in side.study else None for side in (first, second)]
    arrays = [cine.array for cine in cines if cine is not None and cine.has_image]
    if len(arrays) < 2:
        return None
    spread = float(np.ptp(arrays[0]))
    return arrays[0].shape == arrays[1].shape and np.allclose(arrays[0], arrays[1], rtol=0, atol=_SAME_GREY * spread)


def _dice(first: LabelMap, second: LabelMap) -> dict[str, float | None]:
    scores = dice_by_class(first.array, second.array, scheme=first.scheme)
    return {name: float(score) if np.isfinite(score) else None for name, score in scores.items()}
