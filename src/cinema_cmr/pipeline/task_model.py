"""A loaded model with its predictor: `predict` a study, or call the network on tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.study import Study
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.io.read import read_study
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.tasks.evaluator import PredictionOptions, StudyPrediction
from cinema_cmr.tasks.registry import create_evaluator, task_type

__all__ = ["Model", "ModelLike", "load", "loaded_of", "unwrapped"]


ModelLike: TypeAlias = "Model | LoadedModel | Path | str"
"""A model that is loaded, by this module or by `models.weights`, or its name or path."""


class Model:
    """A network and its card; `model.predict(study)` predicts in patient space, `model(images)` runs the network.

    Raises `UsageError` for a device that is not there.
    """

    def __init__(self, loaded: LoadedModel, *, device: str = "auto", precision: str = "auto", tta: int | None = None):
        self.loaded, self.tta = loaded, tta
        self._runtime = choose_runtime(device, precision)
        self.loaded.model.to(self._runtime.device)

    def __repr__(self) -> str:
        views = ", ".join(self.card.grids)
        card = self.card
        return f"Model('{card.name}': {task_type(card).name}, {card.architecture}, views {views})"

    @property
    def card(self) -> ModelCard:
        """Task, views, grids, outputs and training of the model."""
        return self.loaded.card

    @property
    def network(self) -> torch.nn.Module:
        """The network, in evaluation mode; maps {view: images (b, c, x, y, z)} to its outputs."""
        return self.loaded.model

    def predict(self, study: Study | Path | str) -> StudyPrediction:
        """Predict a study, or the study at a path, on its own grid and in patient space.

        Returns view -> `Prediction` of a segmentation model, view -> `LandmarkPrediction` of a landmark model, and
        output -> number or class probability of a regression or classification model. Raises `UsageError` for a model
        without a prediction, such as a pre-trained encoder.
        """
        return self._predict(study if isinstance(study, Study) else read_study(study))

    @property
    def device(self) -> str:
        """Device of the network, "cpu", "cuda" or "mps": the one that was chosen where "auto" was given."""
        return self._runtime.device

    @property
    def precision(self) -> str:
        """Precision of `predict`, "fp32", "bf16" or "fp16"; the network itself is called in float32."""
        return self._runtime.precision

    def __call__(self, images: Tensor | Mapping[str, Tensor]) -> Any:
        """Run the network on images (b, c, x, y, z) on its grid, as `LoadedModel` does.

        The images are moved to the model's device, where the outputs are, too.
        """
        if isinstance(images, Mapping):
            return self.loaded({view: self._moved(image) for view, image in images.items()})
        return self.loaded(self._moved(images))

    def _moved(self, image: Tensor) -> Tensor:
        """Return a tensor on the device; what is none is left to `LoadedModel`, which refuses it."""
        return image.to(self.device) if isinstance(image, Tensor) else image

    @cached_property
    def _predict(self) -> Callable[[Study], StudyPrediction]:
        """The predictor of the model's task, on its device."""
        return create_evaluator(self.loaded, self._runtime, PredictionOptions(tta=self.tta)).predict


def load(name_or_path: Path | str, *, device: str = "auto", precision: str = "auto", tta: int | None = None) -> Model:
    """Load a model by the name of a bundled or published one (hf:...), or by its folder; see `models.weights`."""
    return Model(load_model(name_or_path), device=device, precision=precision, tta=tta)


def unwrapped(model: ModelLike) -> LoadedModel | str:
    """Return a model as lower layers take it: weights that are loaded already, or a name or path."""
    if isinstance(model, Model):
        return model.loaded
    return model if isinstance(model, LoadedModel) else str(model)


def loaded_of(model: ModelLike) -> LoadedModel:
    """Return a model's network with its card, loaded now if it is not yet; errors as of `models.weights.load_model`."""
    found = unwrapped(model)
    return found if isinstance(found, LoadedModel) else load_model(found)
