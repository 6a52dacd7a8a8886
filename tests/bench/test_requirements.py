"""A row of the benchmark takes the studies that meet its requirement, and of them what it uses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from long_axes import annotated as long_axis
from oracles import annotated, heart

from cinema_cmr.bench.requirements import has_labels, has_landmarks, has_measurable_target, has_target
from cinema_cmr.core.vocabulary import View

STUDY = annotated(heart(), "p", group="NOR")


def test_labels_count_whole_or_in_part() -> None:
    whole, other_view = has_labels("cine", View.SAX, of="lv"), has_labels("cine", View.LAX_4C)
    assert whole.is_met(STUDY) and not other_view.is_met(STUDY)
    for drawn, in_part in ((("lv",), True), (("myo",), False)):
        partly = replace(STUDY, labels={View.SAX: replace(STUDY.labels[View.SAX], drawn=drawn)})
        assert not whole.is_met(partly)
        assert whole.is_met_in_part is not None and whole.is_met_in_part(partly) == in_part


def test_a_target_is_known_and_measurable_where_there_are_labels() -> None:
    assert has_target("group").is_met(STUDY) and has_measurable_target("group").is_met(STUDY)
    unknown = replace(STUDY, facts={"age_years": np.nan})
    assert not has_target("group").is_met(unknown) and not has_target("age_years").is_met(unknown)
    unlabelled = replace(STUDY, labels={}, labelled_frames={})
    assert has_target("group").is_met(unlabelled) and not has_measurable_target("group").is_met(unlabelled)


def test_landmarks_of_other_views_are_not_used() -> None:
    """All models of a row learn and are scored by the same views."""
    points = long_axis()
    marks = points.landmarks[View.LAX_4C]
    both = replace(points, landmarks={View.LAX_4C: marks, View.LAX_3C: marks})
    wanted = has_landmarks(View.LAX_2C, View.LAX_4C)
    assert wanted.is_met(both) and not has_landmarks(View.LAX_2C).is_met(both)
    assert wanted.used(both).landmarks == {View.LAX_4C: marks}
    assert has_labels("cine", View.SAX).used(both) is both
