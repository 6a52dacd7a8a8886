"""A small picture of a study for the list: the middle slice at end-diastole."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.serve.opened_study import open_views

__all__ = ["thumbnail_png"]

_SIDE = 144


def thumbnail_png(folder: Path, record: StudyRecord) -> bytes:
    """Return the middle slice of those that the model labelled, or of all, as PNG; raises as `open_views` does."""
    from PIL import Image

    view = next(open_views(folder, record))
    frame = min(record.summary.ed_frame or 0, view.cine.n_frames - 1)
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
