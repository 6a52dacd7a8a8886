"""Codes, names and colours stand in one table each and never collide."""

from __future__ import annotations

import pytest

from cinema_cmr.core.vocabulary import CINE_LABELS, LABEL_SCHEMES, LANDMARKS, View


def test_cine_codes_are_those_that_users_are_told() -> None:
    assert {label.name: label.code for label in CINE_LABELS} == {"rv": 1, "myo": 2, "lv": 3}


@pytest.mark.parametrize("scheme", LABEL_SCHEMES)
def test_a_scheme_counts_from_one_and_tells_its_classes_apart(scheme: str) -> None:
    labels = LABEL_SCHEMES[scheme]
    assert [label.code for label in labels] == list(range(1, len(labels) + 1))
    for field in ("name", "title", "colour"):
        assert len({getattr(label, field) for label in labels}) == len(labels)


def test_every_view_has_a_title_and_landmarks_are_of_long_axis_views() -> None:
    assert len({view.title for view in View}) == len(View)
    assert all(view.is_long_axis and len(set(names)) == 3 for view, names in LANDMARKS.items())
    assert not View.SAX.is_long_axis and not View.OTHER.is_long_axis
