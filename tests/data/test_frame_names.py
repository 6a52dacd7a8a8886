"""Frames are called as their own files, else by the study and the frame counted from 0."""

from __future__ import annotations

from dataclasses import replace

from oracles import annotated, heart

from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.frame_names import frame_names


def test_a_frame_is_named_by_its_file_or_its_study() -> None:
    study = annotated(heart((9.0, 8.0, 7.0)), "p1", frames=(0, 2))
    assert frame_names(study) == ("p1_frame00", "p1_frame02")
    assert frame_names(annotated(heart((9.0,)), "p1")) == ("p1",)
    own = replace(study, frame_names={View.SAX: ("p1_ED", "p1_ES")})
    assert frame_names(own) == ("p1_ED", "p1_ES")
