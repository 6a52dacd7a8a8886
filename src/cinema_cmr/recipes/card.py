"""The card of a trained model: what it takes and gives, and how it was trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from cinema_cmr.core.card import ModelCard, SeenFrames, seen_facts
from cinema_cmr.core.plugins import plugin_source
from cinema_cmr.core.serialise import Json, json_values
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.seen_frames import hashes_of
from cinema_cmr.data.training_set import AnyTrainingData
from cinema_cmr.engine.progress import Progress
from cinema_cmr.engine.train_config import TrainConfig
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.task import CardFields

__all__ = ["combined_licence", "create_card", "start_title"]

_FREE = ("MIT", "BSD", "Apache", "CC0")
"""Licences that add nothing to the condition of another one."""


def create_card(
    experiment: Experiment,
    fields: CardFields,
    data: AnyTrainingData,
    *,
    start: LoadedModel | None,
    end: Progress | None,
) -> ModelCard:
    """Return the card of a model trained by an experiment.

    `fields` are the task's; `end`: the progress at the last validation, None if there was none.
    """
    validation = None if end is None else end.scores_of_weights
    before = (*(() if start is None else (start.card,)), *data.teachers)
    return ModelCard(
        name=experiment.model_name or experiment.name,
        task=fields.task,
        architecture=experiment.architecture,
        config=config_values(experiment.network),
        grids=fields.grids,
        outputs=fields.outputs,
        label_scheme=fields.label_scheme,
        modality=fields.modality,
        tta=fields.tta,
        logit_offsets=fields.logit_offsets,
        training={
            **_training(experiment, data, start),
            "validation": _scores(validation),
            **_not_drawn(validation),
            **_early_stopping(experiment.train, data, end),
            **_ended_by_hand(experiment.train, end),
            **_seen(fields, data, end, before),
            **fields.training,
        },
        requires=_packages(experiment, fields),
        author=experiment.author,
        description=experiment.description,
        licence=combined_licence(
            {
                **{card.name: card.licence for card in before},
                "the training data": data.card.derived_licence or data.card.licence,
            }
        ),
    )


def _packages(experiment: Experiment, fields: CardFields) -> tuple[str, ...]:
    """Return the other packages, with their versions, that network and task come from, each once."""
    sources = plugin_source("architectures", experiment.architecture), plugin_source("tasks", fields.task)
    return tuple(dict.fromkeys(filter(None, sources)))


def combined_licence(licences: Mapping[str, str]) -> str:
    """Return the condition of weights that were made from several sources (source -> its licence): all that bind.

    >>> combined_licence({"cinema-sax": "CC BY-NC-SA 4.0", "the training data": "CC0"})
    'CC BY-NC-SA 4.0'
    >>> combined_licence({"cinema-sax": "CC BY-NC-SA 4.0", "the training data": "set by the owner"})
    'CC BY-NC-SA 4.0 (cinema-sax); and set by the owner (the training data)'
    """
    sources: dict[str, list[str]] = {}
    for source, licence in licences.items():
        sources.setdefault(licence, []).append(source)
    binding = {licence: names for licence, names in sources.items() if licence and not licence.startswith(_FREE)}
    if len(binding) > 1:
        return "; and ".join(f"{licence} ({', '.join(names)})" for licence, names in binding.items())
    return next(iter(binding or sources))


def _scores(validation: Mapping[str, float] | None) -> dict[str, float | None] | None:
    """Return the scores with None for those that no held-out study could be scored for: its structure was not drawn."""
    return (
        None
        if validation is None
        else {name: value if math.isfinite(value) else None for name, value in validation.items()}
    )


def _not_drawn(validation: Mapping[str, float] | None) -> dict[str, list[str]]:
    """Return the structures that were drawn in no held-out study, whose scores are null; nothing if all were."""
    scores = _scores(validation) or {}
    names = [name.removeprefix("dice_") for name, value in scores.items() if value is None and name.startswith("dice_")]
    return {"not_drawn_in_validation": names} if names else {}


def _early_stopping(config: TrainConfig, data: AnyTrainingData, end: Progress | None) -> dict[str, Json]:
    """Return how many updates were made and which weights were chosen, of a run with patience; else nothing."""
    if end is None or end.best is None:
        return {}
    return {
        "n_steps": end.step,
        "early_stopping": {
            "step_of_weights": end.best.step,
            "chosen_on": "the held-out studies; their scores here are those that chose it",
            "n_studies": len(data.val),
            "split": data.split.rule,
            "validation_score": end.best.score,
            "patience": config.patience,
            "validate_every": config.validate_every,
            "most_steps": config.n_steps,
        },
    }


def _ended_by_hand(config: TrainConfig, end: Progress | None) -> dict[str, Json]:
    """Return after how many updates of how many a run was called to end; nothing of one that ended by itself."""
    if end is None or not end.ended_by_hand:
        return {}
    return {"n_steps": end.step, "ended_by_hand": {"most_steps": config.n_steps}}


def _seen(
    fields: CardFields, data: AnyTrainingData, end: Progress | None, before: Sequence[ModelCard]
) -> dict[str, Json]:
    """Return the hashes of the labelled frames that the weights depend on; of a store of images, those of its start."""
    learned, chosen = (
        hashes_of((study for study in studies if isinstance(study, AnnotatedStudy)), fields.grids)
        for studies in (data.train, data.val if end is not None and end.best is not None else ())
    )
    own = SeenFrames(learned=learned, chosen=chosen) if learned else None
    return json_values(seen_facts([own, *(card.seen_frames for card in before)]))


def start_title(start: LoadedModel | None) -> str:
    """Return the name of the first weights with the beginning of their hash."""
    return "random weights" if start is None else f"{start.card.name} {start.card.weights_sha256[:12]}"


def _training(experiment: Experiment, data: AnyTrainingData, start: LoadedModel | None) -> dict[str, Json]:
    config, adaptation = experiment.train, experiment.adaptation
    return {
        "data": data.card.title,
        "citation": data.card.citation,
        "data_sha256": data.sha256,
        "split_sha256": data.split.sha256,
        "n_studies": len(data.train),
        "recipe": experiment.name,
        "start": start_title(start),
        "trainable": "all weights" if adaptation is None else adaptation.title,
        "seed": config.seed,
        "n_steps": config.n_steps,
        "samples_per_step": config.samples_per_step,
        "precision": config.precision,
        "versions": {name: version(name) for name in ("cinema-cmr", "torch")},
    }
