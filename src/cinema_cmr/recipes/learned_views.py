"""The views that a run can learn: a model states no view that neither its data nor its start had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.tasks.landmark import LandmarkConfig
from cinema_cmr.tasks.segment import SegmentConfig

__all__ = ["with_learned_views"]


def with_learned_views(
    experiment: Experiment, studies: Iterable[AnnotatedStudy], start: LoadedModel | None
) -> tuple[Experiment, tuple[View, ...]]:
    """Return the experiment without the views that no study has labels of and the start does not have, and these views.

    Masks and landmarks alone have several views. A pre-trained autoencoder as start has seen labels of none of them.
    An experiment of which no view would be left is returned as it is, as is one whose network this does not know.
    """
    task = experiment.task
    if not isinstance(task, SegmentConfig | LandmarkConfig):
        return experiment, ()
    views = task.views if isinstance(task, SegmentConfig) else tuple(task.grids)
    seen = {view for study in studies for view in _annotated(study, task)}
    seen |= set() if start is None or isinstance(start.model, CineMA) else set(start.card.grids)
    left = [view for view in views if view in seen]
    network = _network_of(experiment.network, left)
    if not left or network is None or len(left) == len(views):
        return experiment, ()
    fewer = (
        replace(task, view=left[0], also=tuple(left[1:]))
        if isinstance(task, SegmentConfig)
        else replace(task, grids={view: task.grids[view] for view in left})
    )
    dropped = tuple(view for view in views if view not in seen)
    return replace(experiment, task=fewer, network=network), dropped


def _annotated(study: AnnotatedStudy, task: SegmentConfig | LandmarkConfig) -> set[View]:
    """Return the views of a study that a task can learn."""
    if isinstance(task, SegmentConfig):
        return {*study.labels, *study.soft_labels}
    found = study.landmarks.items()
    return {view for view, marks in found if any(np.isfinite(points).any() for points in marks.points.values())}


def _network_of(network: Any, views: Sequence[View]) -> Any:
    """Return the configuration of the network for these views alone; None for one that is not known here."""
    names = [str(view) for view in views]
    if isinstance(network, UNet2dConfig) and names:
        return replace(network, view=names[0], also=tuple(names[1:]))
    if isinstance(network, ConvUNetRConfig):
        return replace(network, image_sizes={name: network.image_sizes[name] for name in names})
    return None
