"""Body surface area by two formulas and heart rate by two sources; nothing guessed."""

from __future__ import annotations

import pytest
from hearts import cine_of

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Subject
from cinema_cmr.measure.body import body_surface_area, heart_rate

ADULT = Subject(height_cm=180, weight_kg=80)


def test_published_formulas() -> None:
    assert body_surface_area(ADULT).value == pytest.approx(2.0)  # sqrt(180 x 80 / 3600)
    assert body_surface_area(ADULT, "du-bois").value == pytest.approx(1.9964, abs=1e-3)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (Subject(weight_kg=80), "height is unknown"),
        (Subject(height_cm=180), "weight is unknown"),
        (Subject(height_cm=1.8, weight_kg=80), "height 1.8 cm is not plausible"),
        (Subject(height_cm=180, weight_kg=0), "weight 0 kg is not plausible"),
        (Subject(height_cm=67, weight_kg=80), "cannot be those of one person: a body mass index of 178 kg/m2"),
        (Subject(height_cm=170, weight_kg=12.6), "cannot be those of one person: a body mass index of 4 kg/m2"),
    ],
)
def test_unknown_or_implausible_size_gives_no_area(subject: Subject, reason: str) -> None:
    area = body_surface_area(subject)
    assert area.value is None and reason in (area.reason or "")


def test_unknown_formula() -> None:
    with pytest.raises(UsageError, match="did you mean 'mosteller'"):
        body_surface_area(ADULT, "mostler")  # type: ignore[arg-type]


def test_heart_rate_from_tags_before_the_interval() -> None:
    cine = cine_of((2, 2, 1, 1), rr_ms=1000)
    assert heart_rate(Subject(heart_rate_bpm=72), cine).value == 72
    assert heart_rate(Subject(), cine).value == pytest.approx(60)


def test_heart_rate_is_never_guessed() -> None:
    assert heart_rate(Subject(), cine_of((2, 2, 1, 1))).value is None
    assert heart_rate(Subject(), None).value is None
    assert "not plausible" in (heart_rate(Subject(), cine_of((2, 2, 1, 1), rr_ms=60)).reason or "")
