"""Subjects: repeatable draws, one person with the heart of each group, and the definitions of the groups."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.phantom.subject import GROUPS, draw_subject


def test_a_seed_is_one_person_in_every_group() -> None:
    people = [draw_subject(3, group=group) for group in GROUPS]
    assert len({(one.sex, one.age_years, one.height_cm, one.weight_kg) for one in people}) == 1
    assert len({one.lv_edv_ml for one in people}) == len(GROUPS)
    assert draw_subject(3) == draw_subject(3) and draw_subject(3) in people


@pytest.mark.parametrize("seed", range(25))
def test_groups_follow_their_definitions(seed: int) -> None:
    normal, dilated, hypertrophic, infarcted, right = (draw_subject(seed, group=group) for group in GROUPS)
    assert dilated.lv_ef_percent < 40 and infarcted.lv_ef_percent <= 40 and right.rv_ef_percent < 45
    assert normal.lv_ef_percent >= 48 and hypertrophic.lv_ef_percent > 50
    assert dilated.lv_edv_ml > 1.4 * normal.lv_edv_ml
    assert hypertrophic.lv_mass_g > 1.4 * normal.lv_mass_g
    assert min(infarcted.contraction) < 0.3 < min(normal.contraction)


def test_body_surface_is_mosteller_and_metadata_are_those_of_a_scanner() -> None:
    subject = replace(draw_subject(1), height_cm=180.0, weight_kg=80.0, age_years=61.6)
    assert subject.body_surface_m2 == pytest.approx(2.0)
    assert (subject.metadata.age_years, subject.metadata.weight_kg) == (62.0, 80.0)


@pytest.mark.parametrize("wrong", [{"group": "XYZ"}, {"lv_edv_ml": 0.0}, {"rv_ef_percent": 90.0}])
def test_impossible_subjects_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        replace(draw_subject(1), **wrong)  # type: ignore[arg-type]
