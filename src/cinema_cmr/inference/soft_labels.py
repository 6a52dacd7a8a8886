"""Class probabilities of a teacher model for every frame of a cine: targets where experts drew nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import SoftLabels
from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES
from cinema_cmr.core.volume import Cine
from cinema_cmr.files.regular import is_damage, open_regular
from cinema_cmr.inference.localiser import locate_heart
from cinema_cmr.inference.magnification import magnify_small_heart
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.atomic import atomic_path

__all__ = ["cached_soft_labels", "predict_soft_labels", "smooth_over_frames"]

_MIN_FRAMES = 10
"""Frames from which neighbours in time are averaged: with fewer the heart moves too far from one to the next."""
_NEIGHBOUR = 0.25
"""Weight of each neighbouring frame; the frame itself has what is left of 1."""


def predict_soft_labels(cine: Cine, segmenter: Segmenter) -> SoftLabels:
    """Predict the class probabilities of all frames on the native grid, averaged over neighbours in time.

    Outside the teacher's field of view they are all zero, which is no target. Nothing is post-processed: a structure
    in two pieces stays uncertain.
    """
    location = magnify_small_heart(cine, segmenter, locate_heart(cine, segmenter))
    crop = segmenter.plan(cine, location.centre, magnification=location.magnification)
    n_classes = 1 + len(LABEL_SCHEMES[segmenter.card.label_scheme])
    probs = np.zeros((*cine.array.shape, n_classes), np.float32)
    for frame, planes in segmenter.probabilities(cine, crop, range(cine.n_frames)):
        probs[..., frame, :] = crop.invert(planes)
    levels = np.rint(smooth_over_frames(probs).clip(0, 1) * SoftLabels.ONE).astype(np.uint8)
    return SoftLabels(array=levels, scheme=segmenter.card.label_scheme, teacher=segmenter.card.name)


def smooth_over_frames(probs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the probabilities (x, y, z, t, class) of each frame with its neighbours in the cycle, which is closed.

    A cine of fewer than ten frames is returned as it is.
    """
    if probs.shape[3] < _MIN_FRAMES:
        return probs
    around = np.roll(probs, 1, axis=3) + np.roll(probs, -1, axis=3)
    smooth: NDArray[np.float32] = (1 - 2 * _NEIGHBOUR) * probs + _NEIGHBOUR * around
    return smooth


def cached_soft_labels(cine: Cine, segmenter: Segmenter, folder: Path) -> SoftLabels:
    """Return the soft labels stored in `folder` for these images and this teacher, or predict and store them.

    Raises `UnreadableFileError` for a stored file that is damaged.
    """
    path = folder / f"{_key(cine, segmenter)}.npz"
    if path.exists():
        levels = _read_levels(path, cine.shape)
        return SoftLabels(array=levels, scheme=segmenter.card.label_scheme, teacher=segmenter.card.name)
    soft = predict_soft_labels(cine, segmenter)
    with atomic_path(path, overwrite=True) as sibling:
        np.savez_compressed(sibling, probs=soft.array)
    return soft


def _read_levels(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as stored:
            levels: NDArray[np.uint8] = stored["probs"]
    except Exception as error:  # numpy, zipfile and zlib each raise their own
        if not is_damage(error):
            raise
        raise _damaged(path, f"{type(error).__name__}") from error
    if levels.dtype != np.uint8 or levels.shape[:-1] != shape:
        raise _damaged(path, f"{levels.dtype} of shape {levels.shape}")
    return levels


def _damaged(path: Path, found: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"soft labels '{path.name}' are damaged ({found}); expected those that a training wrote: delete the file, and"
        " they are predicted again"
    )


def _key(cine: Cine, segmenter: Segmenter) -> str:
    """Return a hash of the images, their geometry, the teacher's weights and its inference settings."""
    settings = (segmenter.card.weights_sha256, segmenter.inference_settings, cine.array.shape, str(cine.view))
    geometry = [round(float(mm), 4) for mm in (*cine.spacing_mm[:2], *cine.slice_positions_mm)]
    digest = hashlib.sha256(repr((*settings, geometry)).encode())
    digest.update(np.ascontiguousarray(cine.array, dtype="<f4").tobytes())
    return digest.hexdigest()[:24]
