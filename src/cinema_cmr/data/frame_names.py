"""Names of labelled frames stored in files of their own, in exports and in masks read back."""

from __future__ import annotations

import re

from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy

__all__ = ["frame_names", "safe_file_name"]


def frame_names(annotated: AnnotatedStudy, view: View = View.SAX) -> tuple[str, ...]:
    """Return one name per labelled frame of a view, in order.

    The stem of the frame's file if the dataset has such files ("patient001_frame01", numbered as there); else the
    study's name if it has one frame only, or NAME_frameNN, counted from 0.
    """
    name, frames = annotated.study.name, annotated.labelled_frames[view]
    if view in annotated.frame_names:
        return annotated.frame_names[view]
    if annotated.study.cine(view).n_frames == 1:
        return (name,)
    return tuple(f"{name}_frame{frame:02d}" for frame in frames)


def safe_file_name(name: str) -> str:
    """Replace characters that are not portable in file names: all but letters, digits, dots, hyphens and underscores.

    >>> safe_file_name("heart 10.0/a")
    'heart_10.0_a'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)
