"""What a labelled frame is called where it stands in a file of its own: in what is exported, and in masks read back."""

from __future__ import annotations

import re

from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy

__all__ = ["file_name", "frame_names"]


def frame_names(annotated: AnnotatedStudy, view: View = View.SAX) -> tuple[str, ...]:
    """One name for each labelled frame of a view, in their order.

    The frame's own file's, where the dataset has such files ("patient001_frame01", counted as there); else the
    study's own for its only frame, and NAME_frameNN, counted from 0, where it has several.
    """
    name, frames = annotated.study.name, annotated.labelled_frames[view]
    if view in annotated.frame_names:
        return annotated.frame_names[view]
    if annotated.study.cine(view).n_frames == 1:
        return (name,)
    return tuple(f"{name}_frame{frame:02d}" for frame in frames)


def file_name(name: str) -> str:
    """A name as a file may have it on any system: letters, digits, dots, hyphens and underscores.

    >>> file_name("heart 10.0/a")
    'heart_10.0_a'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)
