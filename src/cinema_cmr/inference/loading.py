"""Models by name, ready to predict: segmenters and the landmark predictor."""

from __future__ import annotations

from pathlib import Path

from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model

__all__ = ["LANDMARK_MASK_MODEL", "load_landmark_predictor", "load_segmenter"]

LANDMARK_MASK_MODEL = "cinema-lax-masks"
"""The bundled model whose masks support the landmarks in planes that no other model has segmented."""


def load_segmenter(
    model: LoadedModel | Path | str, *, device: str = "auto", precision: str = "auto", tta: int | None = None
) -> Segmenter:
    """Load a segmentation model onto a device; `tta` None takes the test-time augmentation of the model's card.

    Raises `WeightsError` for a model that is unknown or of another task, `UsageError` for a device, precision or `tta`
    that is not available.
    """
    loaded = model if isinstance(model, LoadedModel) else load_model(model)
    return Segmenter(loaded, choose_runtime(device, precision), tta=tta)


def load_landmark_predictor(
    model: LoadedModel | Path | str, *, device: str = "auto", precision: str = "auto"
) -> LandmarkPredictor:
    """Load a landmark model onto a device, with the bundled segmentation model that supports it."""
    loaded = model if isinstance(model, LoadedModel) else load_model(model)
    segmenter = load_segmenter(LANDMARK_MASK_MODEL, device=device, precision=precision)
    return LandmarkPredictor(loaded, choose_runtime(device, precision), segmenter=segmenter)
