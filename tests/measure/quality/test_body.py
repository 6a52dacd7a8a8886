"""Height and weight of no person are flagged with the unit that explains them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hearts import context_of, heart

from cinema_cmr.core.study import Subject
from cinema_cmr.measure.quality.body import unusual_body
from cinema_cmr.measure.quality.context import QualityContext


@pytest.fixture(scope="module")
def context() -> QualityContext:
    return context_of(*heart((1.0, 0.75)))


@pytest.mark.parametrize(
    ("height", "weight", "said"),
    [
        (170.2, 176, "in pounds 170 cm and 80 kg"),
        (67, 79.9, "in inches 170 cm and 80 kg"),
        (67, 176, "in inches and pounds 170 cm and 80 kg"),
        (170.2, 12.6, "in stones 170 cm and 80 kg"),
        (79.9, 170.2, "exchanged 170 cm and 80 kg"),
        (160, 110, "in pounds 160 cm and 50 kg"),
        (100, 1, "depend on them: give"),
    ],
)
def test_another_unit_is_flagged_with_what_it_would_be(
    context: QualityContext, height: float, weight: float, said: str
) -> None:
    subject = Subject(height_cm=height, weight_kg=weight)
    flag = unusual_body(replace(context, study=replace(context.study, subject=subject)))
    assert flag is not None and flag.severity == "warning" and said in flag.message


@pytest.mark.parametrize(("height", "weight"), [(170.2, 79.9), (50, 3.4), (190, 60), (160, 100), (None, 80), (0, 0)])
def test_people_and_unknown_sizes_are_silent(context: QualityContext, height: float | None, weight: float) -> None:
    subject = Subject(height_cm=height, weight_kg=weight)
    assert unusual_body(replace(context, study=replace(context.study, subject=subject))) is None
