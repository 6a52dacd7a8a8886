"""What is said of one person is not said of several."""

from __future__ import annotations

import pytest
from jsonargparse import Namespace

from cinema_cmr.commands.options.study_facts import check_one_study
from cinema_cmr.core.errors import UsageError

UNSET = dict.fromkeys(("sex", "age", "height", "weight", "heart_rate", "ed_frame", "es_frame"))


@pytest.mark.parametrize(
    ("name", "flag"), [("sex", "sex"), ("age", "age"), ("heart_rate", "heart-rate"), ("es_frame", "es-frame")]
)
def test_facts_of_one_study_are_refused_with_several(name: str, flag: str) -> None:
    given = Namespace(**{**UNSET, name: "F" if name == "sex" else 0})
    check_one_study(given, 1)
    check_one_study(Namespace(**UNSET), 3)
    with pytest.raises(UsageError, match=f"--{flag} with 2 studies; expected it for one: give a column '{name}'"):
        check_one_study(given, 2)
