"""What a study holds, and that facts are filled and never guessed or replaced."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import CinemaError, NoCineError
from cinema_cmr.core.study import Issue, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine


def study(*views: View) -> Study:
    cines = [
        Cine(array=np.zeros((2, 2, 1, 1), np.float32), affine=np.eye(4), view=view, slice_positions_mm=np.zeros(1))
        for view in views
    ]
    return Study(name="case", cines=tuple(cines))


def test_a_view_is_found_or_the_others_are_named() -> None:
    its = study(View.SAX, View.LAX_4C, View.OTHER)
    assert View.SAX in its and View.LAX_2C not in its
    assert its.cine(View.LAX_4C).view is View.LAX_4C
    with pytest.raises(NoCineError, match=r"'case' has no 2-chamber cine; its views are: lax_4c, other, sax"):
        its.cine(View.LAX_2C)


def test_known_facts_stay_and_unknown_ones_are_filled() -> None:
    given, read = Subject(sex="F", height_cm=170.0), Subject(sex="M", weight_kg=60.0)
    assert given.fill_from(read) == Subject(sex="F", height_cm=170.0, weight_kg=60.0)
    assert Subject().fill_from(Subject()) == Subject()


def test_issues_are_added_and_none_is_lost() -> None:
    one, two = (Issue(code=code, severity="info", message=code) for code in ("one", "two"))
    assert [issue.code for issue in study().with_issues(one).with_issues(two).issues] == ["one", "two"]


def test_views_are_keys_by_name_or_member() -> None:
    whole = study(View.SAX, View.LAX_4C, View.OTHER)
    assert whole["sax"] is whole[View.SAX] is whole.cines[0]
    assert "lax_4c" in whole and "lax_2c" not in whole
    assert [cine.view for cine in whole] == list(whole.views) and len(whole) == 3


@pytest.mark.parametrize(("name", "message"), [("lax_4cc", "did you mean 'lax_4c'"), ("lax_2c", "no 2-chamber cine")])
def test_missing_views_are_key_errors_of_ours(name: str, message: str) -> None:
    for kind in (KeyError, CinemaError):
        with pytest.raises(kind, match=message):
            study(View.SAX, View.LAX_4C)[name]


def test_repr_fits_on_a_few_lines() -> None:
    assert repr(study(View.SAX, View.LAX_4C)) == "Study('case': sax 2x2x1x1, lax_4c 2x2x1x1; 0 issues)"
    one = study(View.SAX).with_issues(Issue(code="odd", severity="info", message="odd"))
    assert repr(one).endswith("; 1 issue)")
    assert len(repr(study(*[View.OTHER] * 40))) < 400
