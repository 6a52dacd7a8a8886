"""What a study must have to be part of a row of the benchmark, and what of it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cinema_cmr.core.vocabulary import VENTRICULAR_SCHEMES, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.tasks.targets import target_value

__all__ = ["Requirement", "has_labels", "has_landmarks", "has_measurable_target", "has_target"]


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What a study must have to be part of a row."""

    title: str
    is_met: Callable[[AnnotatedStudy], bool]
    is_met_in_part: Callable[[AnnotatedStudy], bool] | None = None
    """What is enough in a dataset of which no study meets it; None if nothing less is."""
    views_of_landmarks: tuple[View, ...] = ()
    """Views whose landmarks count, so that all models of a row learn and are scored by the same; all if empty."""

    def used(self, study: AnnotatedStudy) -> AnnotatedStudy:
        """Return the study with what of it is used."""
        kept = {view: marks for view, marks in study.landmarks.items() if view in self.views_of_landmarks}
        return replace(study, landmarks=kept) if self.views_of_landmarks else study


def has_labels(scheme: str, *views: View, of: str = "") -> Requirement:
    """Require whole labels of a scheme in one of the views; in part, those of the structure `of`, or any."""
    return Requirement(
        title=f"labels of scheme '{scheme}'",
        is_met=lambda study: any(_is_labelled(study, view, scheme) for view in views),
        is_met_in_part=lambda study: any(_is_labelled_in_part(study, view, scheme, of) for view in views),
    )


def has_landmarks(*views: View) -> Requirement:
    """Require landmarks in one of the views; those of other views are not used."""
    return Requirement(
        title="landmarks",
        is_met=lambda study: any(v in study.landmarks and v in study.study for v in views),
        views_of_landmarks=views,
    )


def has_target(name: str) -> Requirement:
    """Require a short-axis cine and a known target."""

    def is_met(study: AnnotatedStudy) -> bool:
        target = target_value(study, name) if View.SAX in study.study else None
        return target is not None and not (isinstance(target, float) and np.isnan(target))

    return Requirement(title=name, is_met=is_met)


def has_measurable_target(name: str) -> Requirement:
    """Require whole short-axis labels, and the target among the dataset's facts."""
    return Requirement(title=name, is_met=lambda study: _is_labelled(study, View.SAX, "cine") and name in study.facts)


def _is_labelled(annotated: AnnotatedStudy, view: View, scheme: str) -> bool:
    return _is_labelled_in_part(annotated, view, scheme) and annotated.labels[view].in_scheme(scheme).is_complete


def _is_labelled_in_part(annotated: AnnotatedStudy, view: View, scheme: str, structure: str = "") -> bool:
    """Whether a view has labels, and the structure was drawn if one is named."""
    labels = annotated.labels.get(view)
    if view not in annotated.study or labels is None:
        return False
    if labels.scheme != scheme and not {labels.scheme, scheme} <= set(VENTRICULAR_SCHEMES):
        return False
    return not structure or not labels.drawn or structure in labels.drawn
