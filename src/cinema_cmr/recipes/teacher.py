"""Labels of a teacher model for what experts did not draw, predicted once and kept with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cinema_cmr.core.annotation import SoftLabels
from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import VENTRICULAR_SCHEMES, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.datasets.reading import Note, ignore_note
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.inference.soft_labels import cached_soft_labels
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import model_card
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.training_options import FinetuneOptions
from cinema_cmr.tasks.registry import task_type
from cinema_cmr.tasks.segment import SegmentConfig

__all__ = ["NO_TEACHER", "SOFT_LABELS_FOLDER", "chosen_teacher", "needs_teacher", "with_teacher"]

NO_TEACHER = "none"
"""Value of --teacher with which what was not drawn is learned from by no model."""

SOFT_LABELS_FOLDER = "teacher"
"""Folder of a run that holds its teacher's labels, one file a cine."""

_NOTE_EVERY = 25


def chosen_teacher(
    options: FinetuneOptions,
    experiment: Experiment,
    studies: Sequence[AnnotatedStudy],
    *,
    start: LoadedModel | str | None = None,
    note: Note = ignore_note,
) -> LoadedModel | str | None:
    """Return the teacher that was given, or the start where it can stand in for what was not drawn.

    That is a segmentation model with the run's labels and views, and a training study that is not drawn in full.
    `start`: the run's; None for the experiment's own.
    """
    config, start = experiment.task, experiment.start if start is None else start
    if options.teacher is not None or start is None or not isinstance(config, SegmentConfig):
        return None if options.teacher == NO_TEACHER else options.teacher
    card = start.card if isinstance(start, LoadedModel) else model_card(start)
    if (
        task_type(card).config is not SegmentConfig
        or not _can_teach(card, config)
        or not set(config.views) & set(card.grids)
    ):
        return None
    scheme = _scheme_with(card, config)
    pairs = [(study, view) for study in studies for view in config.views]
    if not any(needs_teacher(study, view, other_frames=False, scheme=scheme) for study, view in pairs):
        return None
    note(f"teacher: {card.name}, the start, for what was not drawn (--teacher {NO_TEACHER}: nothing is)")
    return start


def with_teacher(
    data: TrainingData[AnnotatedStudy],
    teacher: LoadedModel | str,
    experiment: Experiment,
    folder: Path,
    *,
    tta: int | None = None,
    note: Note = ignore_note,
) -> TrainingData[AnnotatedStudy]:
    """Add the teacher's labels to the training studies that are not drawn in full; validation studies have none.

    They are kept in the run's folder and read from there when it is resumed. `tta`: the teacher's test-time
    augmentation; None for that of its card. Raises `UsageError` for a run of another task than segmentation, or a
    teacher of another label scheme.
    """
    config = experiment.task
    if not isinstance(config, SegmentConfig):
        raise UsageError(f"--teacher with the recipe '{experiment.name}'; expected a recipe of the task 'segment'")
    train = experiment.train
    segmenter = load_segmenter(teacher, device=train.accelerator, precision=train.precision, tta=tta)
    if not _can_teach(segmenter.card, config):
        raise UsageError(
            f"teacher '{segmenter.card.name}' predicts labels of scheme '{segmenter.card.label_scheme}'; expected"
            f" '{config.label_scheme}', that of the recipe"
        )
    studies = []
    for done, study in enumerate(data.train, 1):
        studies.append(_taught(study, config, segmenter, folder / SOFT_LABELS_FOLDER))
        if done % _NOTE_EVERY == 0 or done == len(data.train):
            note(f"teacher's labels: {done} of {len(data.train)} studies")
    return replace(data, train=studies, teachers=(segmenter.card,))


def _can_teach(card: ModelCard, config: SegmentConfig) -> bool:
    """Whether the model's structures are the run's; of all chambers the cine's are a part."""
    schemes = {card.label_scheme, config.label_scheme}
    return len(schemes) == 1 or schemes <= set(VENTRICULAR_SCHEMES)


def _scheme_with(card: ModelCard, config: SegmentConfig) -> str:
    """Return the label scheme of a run that may take the atria of such a model."""
    return "chambers" if "chambers" in (card.label_scheme, config.label_scheme) else config.label_scheme


def needs_teacher(annotated: AnnotatedStudy, view: View, *, other_frames: bool, scheme: str = "cine") -> bool:
    """Return whether anything of a view was not drawn of all structures of a scheme; frames without labels count with
    `other_frames`."""
    labels = annotated.labels.get(view)
    if labels is None or view not in annotated.study:
        return other_frames
    drawn_frames = annotated.labelled_frames[view]
    unlabelled = len(drawn_frames) < annotated.study.cine(view).n_frames
    return (other_frames and unlabelled) or not labels.select(drawn_frames).in_scheme(scheme).is_complete


def _taught(annotated: AnnotatedStudy, config: SegmentConfig, segmenter: Segmenter, folder: Path) -> AnnotatedStudy:
    scheme = _scheme_with(segmenter.card, config)
    soft: Mapping[View, SoftLabels] = {
        view: cached_soft_labels(annotated.study.cine(view), segmenter, folder)
        for view in config.views
        if view in annotated.study
        and view in segmenter.card.grids
        and needs_teacher(annotated, view, other_frames=config.soft_frames > 0, scheme=scheme)
    }
    return replace(annotated, soft_labels=soft) if soft else annotated
