"""A moved landmark on the command line."""

from __future__ import annotations

import pytest

from cinema_cmr.commands.options.moved_point import point_option
from cinema_cmr.core.edits import MovedPoint
from cinema_cmr.core.errors import UnknownNameError, UsageError
from cinema_cmr.core.vocabulary import View


def test_a_point_and_the_models_own() -> None:
    moved = MovedPoint(view=View.LAX_4C, name="mitral_septal", frame=8, position_ras_mm=(12, -30.5, 41))
    assert point_option("lax_4c:mitral_septal:8=12,-30.5,41") == moved
    assert point_option("lax_4c:mitral_septal:8=model").position_ras_mm is None


@pytest.mark.parametrize("text", ["lax_4c:apex:1", "lax_4c:apex:1=1,2", "lax_4c:apex=1,2,3", "lax_4c:apex:1=a,b,c"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected VIEW:NAME:FRAME"):
        point_option(text)


def test_an_unknown_view_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="lax_4c"):
        point_option("lax_4:apex:1=1,2,3")
