"""Options in groups, from flat names."""

from __future__ import annotations

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Subject
from cinema_cmr.pipeline.analysis_options import ExtraModels, InferenceOptions, Options, options_of_study


def test_flat_names_fill_their_groups() -> None:
    options = Options.of(model="mine", tta=4, sex="F", height_cm=170, basal_rule="all-slices", landmarks="none")
    assert options.inference == InferenceOptions(model="mine", tta=4)
    assert options.subject == Subject(sex="F", height_cm=170)
    assert options.measure.basal_rule == "all-slices" and options.extra_models.landmarks is None
    assert Options.of() == Options()


def test_the_options_of_a_call_come_before_the_facts_of_a_study() -> None:
    subject = Subject(sex="F", age_years=41)
    options = options_of_study(Options.of(age_years=50, es_frame=8), subject, ed_frame=0, es_frame=9)
    assert options.subject == Subject(sex="F", age_years=50)
    assert (options.measure.ed_frame, options.measure.es_frame) == (0, 8)
    assert options_of_study(Options.of(tta=2), Subject()) == Options.of(tta=2)


def test_a_whole_group_may_be_given() -> None:
    group = ExtraModels(disease=None)
    assert Options.of(extra_models=group, single_frame=True) == Options(extra_models=group, single_frame=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heigt_cm": 170}, "unknown option 'heigt_cm'; did you mean 'height_cm'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"tta": 3}, "unknown test-time augmentation '3'"),
        ({"basal_rule": "scrm"}, "unknown basal rule 'scrm'; did you mean 'scmr'"),
    ],
)
def test_wrong_options_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options.of(**values)
