"""The model's own masks of a results folder, and whether corrections belong to the masks that are there."""

from __future__ import annotations

from pathlib import Path

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.report.record.build import mask_file, model_mask_file
from cinema_cmr.report.record.review import Review

__all__ = ["drawn_on_others", "has_other_mask", "own_mask"]


def own_mask(folder: Path, view: View) -> Path:
    """Return the model's own mask: kept apart once there are corrections, else the only one."""
    own = folder / model_mask_file(view)
    return own if own.is_file() else folder / mask_file(view)


def drawn_on_others(review: Review, folder: Path, view: View) -> bool:
    """Whether the corrections of a view were drawn on another mask than the model's present one, so that none fits."""
    drawn_on = review.mask_sha256.get(view)
    return drawn_on is not None and drawn_on != file_digest(own_mask(folder, view))


def has_other_mask(review: Review, folder: Path, view: View) -> bool:
    """Whether the mask of the results is another one than review and results were last brought together with.

    That is the model's own before the first time.
    """
    before = review.applied.get(view) or file_digest(own_mask(folder, view))
    return before != file_digest(folder / mask_file(view))
