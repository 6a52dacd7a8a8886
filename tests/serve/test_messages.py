"""Bodies of requests: unknown keys and values out of range are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cinema_cmr.serve.messages import Changes, NewJob


def test_a_change_holds_what_the_page_sends() -> None:
    one = {"view": "sax", "frame": 0, "slice": 1, "runs": [0, 4]}
    changes = Changes.model_validate({"slices": [one], "es_frame": 3, "what": "brush, LV cavity, slice 1 frame 0"})
    assert changes.slices[0].runs == [0, 4] and changes.ed_frame is None and not changes.own_frames


@pytest.mark.parametrize(
    "given", [{"es_frame": -1}, {"es_frame": "x"}, {"what": "a" * 121}, {"what": "<b>"}, {"other": 1}, {"slices": [{}]}]
)
def test_what_the_page_never_sends_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Changes.model_validate(given)
    with pytest.raises(ValidationError):
        NewJob.model_validate({"name": ""})
