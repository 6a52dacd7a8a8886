"""The worst and the median cases of an evaluation as pictures: the model's outlines and the expert's over the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.report.display import Labels, heart_box, shown
from cinema_cmr.report.frames import Film, film, outline_paths
from cinema_cmr.report.page import OUTLINES
from cinema_cmr.tasks.result import Result

__all__ = ["CasePicture", "FramePicture", "case_picture", "chosen_cases"]

_PIXELS = 200
_QUALITY = 70


@dataclass(frozen=True, kw_only=True)
class FramePicture:
    """All slices of one labelled frame: the film carries the model's outlines."""

    frame: int
    film: Film
    expert: tuple[Mapping[str, str], ...]
    """Of each slice, outline name -> SVG path of what the expert drew."""


@dataclass(frozen=True, kw_only=True)
class CasePicture:
    """One study and why it is shown."""

    title: str
    result: Result
    frames: tuple[FramePicture, ...]


def chosen_cases(results: Sequence[Result], *, n_worst: int = 3) -> dict[str, int]:
    """Title -> index of the result: the worst ones by mean Dice and the median one, each once.

    Results without a mean Dice are left out; of an even number the better of the two middle ones is the median.
    """
    dices = [result.value("dice_mean") for result in results]
    order = sorted((i for i, dice in enumerate(dices) if np.isfinite(dice)), key=lambda i: dices[i])
    if not order:
        return {}
    names = (
        "Worst case",
        "Second worst case",
        "Third worst case",
        *(f"{n}th worst case" for n in range(4, n_worst + 1)),
    )
    chosen = dict(zip(names[:n_worst], order, strict=False))
    middle = order[len(order) // 2]
    return chosen if middle in chosen.values() else {**chosen, "Median case": middle}


def case_picture(title: str, result: Result, annotated: AnnotatedStudy) -> CasePicture | None:
    """Pictures of a study's labelled short-axis frames; None without a mask, or where its scheme has no outlines."""
    predicted = result.labels
    if predicted is None or predicted.scheme not in OUTLINES:
        return None
    frames = list(annotated.labelled_frames[View.SAX])
    cine = annotated.study.cine(View.SAX)
    turned, of_model = shown(cine, _on_all_frames(predicted.array, frames, cine.array.shape))
    _, of_expert = shown(cine, annotated.labels[View.SAX].array)
    if of_model is None or of_expert is None:
        return None
    made = (_frame_picture(turned, of_model, of_expert, frame, predicted.scheme) for frame in frames)
    return CasePicture(title=title, result=result, frames=tuple(made))


def _on_all_frames(labels: Labels, frames: Sequence[int], shape: tuple[int, ...]) -> Labels:
    whole = np.zeros(shape, np.uint8)
    whole[..., list(frames)] = labels
    return whole


def _frame_picture(cine: Cine, of_model: Labels, of_expert: Labels, frame: int, scheme: str) -> FramePicture:
    box = heart_box(cine, np.maximum(of_model, of_expert))
    made = film(cine, of_model, box=box, frames=(frame,), longest=_PIXELS, quality=_QUALITY, scheme=scheme)
    paths = outline_paths(of_expert[..., [frame]], box, (made.width, made.height), scheme=scheme)
    expert = tuple({name: slices[z][0] for name, slices in paths.items()} for z in range(cine.n_slices))
    return FramePicture(frame=frame, film=made, expert=expert)
