"""Prediction of one value of a study: a number in its unit, or the probability of each class."""

from __future__ import annotations

import torch
from torch import Tensor

from cinema_cmr.core.study import Study
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.study_tensors import phase_images
from cinema_cmr.models.loaded import LoadedModel, in_target_units

__all__ = ["ScalarPredictor"]


class ScalarPredictor:
    """A regression or classification model of whole studies on a device.

    Raises `WeightsError` for a model of another task.
    """

    def __init__(self, loaded: LoadedModel, runtime: Runtime) -> None:
        loaded.card.check_task("regress", "classify")
        self.card, self.runtime = loaded.card, runtime
        self.model = loaded.model.to(runtime.device).eval()

    @torch.inference_mode()
    def predict(self, study: Study, phases: tuple[float, float] = (0.0, 0.4)) -> dict[str, float]:
        """Predict output name -> value in its unit, or class -> probability (summing to 1).

        `phases` are end-diastole and end-systole as fractions of the cycle. Raises `InputError` for a study without a
        view of the model.
        """
        images = phase_images(study, self.card.grids, phases)
        on_device = {view: image[None].to(self.runtime.device) for view, image in images.items()}
        with self.runtime.autocast():
            outputs: Tensor = self.model(on_device)
        outputs = outputs.float().cpu()
        values = outputs.softmax(dim=1) if self.card.output_kind == "classes" else in_target_units(outputs, self.card)
        return dict(zip(self.card.outputs, map(float, values[0]), strict=True))
