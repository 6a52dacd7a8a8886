"""A small picture of a study for the list: the middle slice at end-diastole."""

from __future__ import annotations

import io

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.serve.opened_study import OpenedStudy

__all__ = ["thumbnail_png"]

_SIDE = 144


def thumbnail_png(study: OpenedStudy) -> bytes:
    """Return the middle slice of the labelled ones, or of all, as PNG."""
    from PIL import Image

    view = study.views.get(View.SAX) or next(iter(study.views.values()))
    frame = min(study.record.summary.ed_frame or 0, view.cine.n_frames - 1)
    labelled = np.flatnonzero(view.own[..., frame].any(axis=(0, 1))) if view.own is not None else np.empty(0, int)
    index = int(labelled[len(labelled) // 2]) if labelled.size else view.cine.n_slices // 2
    box = view.box
    part = view.pixels[int(box.left) : int(np.ceil(box.right)), int(box.top) : int(np.ceil(box.bottom)), index, frame]
    low, high = view.window
    grey = np.clip((part.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1) * 255
    picture = Image.fromarray(grey.T.astype(np.uint8))
    dx, dy = view.cine.spacing_mm[:2]
    width, height = part.shape[0] * dx, part.shape[1] * dy
    scale = _SIDE / max(width, height)
    picture = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BICUBIC)
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()
