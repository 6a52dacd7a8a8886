"""Fine-tuning: labelled studies in, a model folder that `cinema analyse --model` takes out."""

from __future__ import annotations

from pathlib import Path

from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.run import Report, RunResult, prepare_run

__all__ = ["TrainingData", "finetune"]


def finetune(
    experiment: Experiment,
    data: TrainingData[AnnotatedStudy],
    folder: Path,
    *,
    start: LoadedModel | str | None = None,
    report: Report | None = None,
) -> RunResult:
    """Train, or resume the run in `folder`, and save the model to `folder/model`.

    `start`: the weights to start from, of the experiment's architecture and configuration or of a pre-trained
    autoencoder; None for the experiment's own. Raises `WeightsError` if they fit neither way, `InputError` if no
    training study has the labels of the task.
    """
    return prepare_run(experiment, data, folder, start=start).execute(report)
