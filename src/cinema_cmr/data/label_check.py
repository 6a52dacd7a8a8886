"""Plausibility of reference label maps: exchanged codes are refused, masks that do not lie on the heart are remarked.

On all 100 ACDC training patients 99 % or more of the rim of the LV blood borders myocardium, and at most 46 % of any
other structure's rim borders any other; LV blood is brighter than its wall with an AUC of 0.85 or more, but in half of
the same masks mirrored or exchanged over the slices with at most 0.68.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import CINE_LABELS, LABEL_SCHEMES, VENTRICULAR_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.mask_place import MaskPlace, mask_place
from cinema_cmr.data.structure_shape import shape_remarks

__all__ = ["LabelSummary", "blood_wall_auc", "check_nesting", "label_remarks", "rim_shares", "summarise_labels"]

_NAMES = {label.code: label.name for label in CINE_LABELS}
_CODES = {name: code for code, name in _NAMES.items()}
_ENCLOSED = 0.75
"""Share of a rim from which a structure counts as enclosed by another one."""
_MIN_AUC = 0.8
"""AUC of LV blood against its wall below which the masks may not belong to the image."""
_MIN_VOXELS = 50
_SIZE_ISSUES = ("spacing-implausible",)
"""Issues of the images that make what is learned from their labels wrong."""
_HEART_REACH_MM = 45.0
"""Length that labels of a whole heart reach over: the least is 48 mm, of a cavity at ES, in 199 people of the Data
Science Bowl, children among them (frames with labels in two slices or more), and 50 mm in the 100 ACDC training
patients."""
_OF_ONE_STUDY = " (for this study alone: in labels.json of a subfolder of its own)"


@dataclass(frozen=True, kw_only=True)
class LabelSummary:
    """Contents of the label maps of one view."""

    view: View
    scheme: str
    drawn: tuple[str, ...]
    """Structures that count as drawn."""
    frames: tuple[int, ...]
    """Labelled frames, from 0."""
    volumes_ml: Mapping[str, tuple[float, ...]]
    """Structure that occurs -> volume in each labelled frame, ml; of a single plane, its area times its thickness."""
    blood_wall_auc: float | None
    """See `blood_wall_auc`."""
    n_frames: int = 1
    """Frames of the cine, labelled or not."""
    n_slices: int = 1
    labelled_slices: tuple[int, ...] = ()
    """Number of slices with a label in each labelled frame; empty where slices without one are unknown."""
    reach_mm: tuple[float, ...] = ()
    """Length of the heart that these slices stand for, each with half its distance to either neighbour."""
    frames_with_gaps: tuple[int, ...] = ()
    """Frames in which a slice without a label lies between labelled ones."""
    repeated_frames: tuple[int, ...] = ()
    """The first two labelled frames with equal labels but different images; empty if there are none."""
    place: MaskPlace | None = None
    """How well short-axis masks fit the image where they lie; None of other views, and of too few voxels."""
    shapes: tuple[str, ...] = ()
    """Shapes that the structures of a short axis do not have, one sentence each."""
    image_issues: tuple[str, ...] = ()
    """Warnings and errors on the images that make labels wrong, such as implausible voxel sizes."""


def rim_shares(labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return (inner, outer) -> share of the in-plane rim of one code, in pixel edges, that borders another.

    `labels` is (x, y, z, t) with codes 0 to 3; a code that does not occur has zeros.
    """
    padded = np.pad(labels, ((1, 1), (1, 1), (0, 0), (0, 0))).astype(np.intp)
    edges = np.zeros(16, dtype=np.int64)
    for axis in (0, 1):
        for step in (-1, 1):
            edges += np.bincount((4 * padded + np.roll(padded, step, axis)).ravel(), minlength=16)
    table = edges.reshape(4, 4)
    np.fill_diagonal(table, 0)
    return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1))


def check_nesting(labels: LabelMap, codes: Mapping[int, int], *, name: str) -> None:
    """Raise `InputError` if another structure than the LV blood lies within another one than the myocardium.

    `codes` (code in the files -> our code) gives the codes of the message, which suggests the right ones; `name` is
    that of the study.
    """
    shares = rim_shares(labels.array)[1:, 1:]
    inner, outer = (int(place) + 1 for place in np.unravel_index(shares.argmax(), shares.shape))
    if (inner, outer) == (_CODES["lv"], _CODES["myo"]) or shares.max() < _ENCLOSED:
        return
    in_files = {ours: theirs for theirs, ours in codes.items()}
    third = 6 - inner - outer
    right = {in_files[inner]: "lv", in_files[outer]: "myo"} | ({in_files[third]: "rv"} if third in in_files else {})
    right |= {theirs: "background" for theirs, ours in codes.items() if ours == 0}
    suggestion = " ".join(f"{code}={structure}" for code, structure in sorted(right.items()))
    raise InputError(
        f"{name}: the structure with code {in_files[inner]}, taken for {_NAMES[inner]}, lies within code"
        f" {in_files[outer]}, taken for {_NAMES[outer]}; expected the LV cavity within its myocardium: state the codes,"
        f" probably --codes {suggestion}{_OF_ONE_STUDY}"
    )


def blood_wall_auc(cine: Cine, labels: LabelMap) -> float | None:
    """Return the probability that a voxel of LV blood is brighter than one of the wall, mean over labelled frames.

    None if no frame has enough of both, and for another label scheme than those of cines.
    """
    if labels.scheme not in VENTRICULAR_SCHEMES:
        return None
    # Imported late: it takes longer than the rest of a command's start.
    from scipy.stats import rankdata

    found = []
    for frame in range(labels.array.shape[3]):
        codes = labels.array[..., frame]
        blood, wall = (cine.array[..., frame][codes == _CODES[name]] for name in ("lv", "myo"))
        if min(len(blood), len(wall)) >= _MIN_VOXELS:
            ranks = rankdata(np.concatenate([blood, wall]))[: len(blood)].sum()
            found.append((ranks - len(blood) * (len(blood) + 1) / 2) / (len(blood) * len(wall)))
    return float(np.mean(found)) if found else None


def label_remarks(summaries: Iterable[LabelSummary]) -> tuple[str, ...]:
    """Return a sentence on each oddity of the masks of a view: their place, structures, frames and slices."""
    return tuple(remark for one in summaries for remark in _remarks(one))


def _remarks(one: LabelSummary) -> Iterator[str]:
    yield from one.image_issues
    yield from _place_remarks(one)
    yield from (f"in the {one.view.title} {sentence}" for sentence in one.shapes)
    yield from _content_remarks(one)


def _place_remarks(one: LabelSummary) -> Iterator[str]:
    place = one.place
    if place is not None and place.better and max(place.auc, place.better_auc or 0) >= place.min_auc:
        yield (
            f"the {one.view.title} masks may not lie on the heart: {place.better} they fit better ({place.contrast}"
            f" with an AUC of {place.better_auc:.2f}, as they are {place.auc:.2f}); check for mirrored, shifted or"
            " exchanged masks"
        )
    elif place is not None and place.auc < place.min_auc:
        yield _low_auc(one.view, place.contrast, place.auc, place.min_auc)
    elif place is None and one.blood_wall_auc is not None and one.blood_wall_auc < _MIN_AUC:
        yield _low_auc(one.view, "LV blood is brighter than the wall", one.blood_wall_auc, _MIN_AUC)


def _low_auc(view: View, contrast: str, auc: float, least: float) -> str:
    return (
        f"the {view.title} masks may not lie on the heart: {contrast} with an AUC of {auc:.2f} (expected {least:g} or"
        " more); check for mirrored, shifted or exchanged masks, and for an outer border in place of the cavity"
    )


def _content_remarks(one: LabelSummary) -> Iterator[str]:
    absent = [name for name in one.drawn if name not in one.volumes_ml and one.scheme == "cine"]
    if absent and one.view is View.SAX:
        yield (
            f"no label of {' and '.join(absent)} in the {one.view.title}, which is learned as background; if it was not"
            f" drawn, state what was in labels.json{_OF_ONE_STUDY}"
        )
    for name, volumes in one.volumes_ml.items() if one.view is View.SAX and one.scheme == "cine" else ():
        empty = [frame for frame, ml in zip(one.frames, volumes, strict=True) if ml == 0]
        if empty and name in one.drawn:
            yield (
                f"no label of {name} in frame {empty[0]} of the {one.view.title}, which is learned as background there,"
                " and labels of it in others; check that frame"
            )
    if len(one.frames) == 1 < one.n_frames:
        yield (
            f"only frame {one.frames[0]} of {one.n_frames} frames of the {one.view.title} is labelled; expected ED and"
            " ES"
        )
    if one.repeated_frames:
        yield (
            f"frames {' and '.join(map(str, one.repeated_frames))} of the {one.view.title} have the very same labels,"
            " and other images; check that each has its own"
        )
    yield from _slice_remarks(one)


def _slice_remarks(one: LabelSummary) -> Iterator[str]:
    statement = f'if they were not looked at, state "empty_slices": "unknown" in labels.json{_OF_ONE_STUDY}'
    if one.frames_with_gaps:
        frames = ", ".join(map(str, one.frames_with_gaps))
        yield f"slices without a label lie between labelled ones (frames {frames}); {statement}"
        return
    number, reach_mm = min(zip(one.labelled_slices, one.reach_mm, strict=True), default=(one.n_slices, 0.0))
    if number < one.n_slices and reach_mm < _HEART_REACH_MM:
        yield (
            f"only {number} of {one.n_slices} slices have a label, {reach_mm:.0f} mm of the heart's length, and the"
            f" others are learned as background; {statement}"
        )


def summarise_labels(annotated: AnnotatedStudy) -> tuple[LabelSummary, ...]:
    """Return the contents of the label maps of each view of a study."""
    return tuple(_summary(annotated, view, labels) for view, labels in annotated.labels.items())


def _summary(annotated: AnnotatedStudy, view: View, labels: LabelMap) -> LabelSummary:
    cine, classes = annotated.study[view], LABEL_SCHEMES[labels.scheme]
    frames = annotated.labelled_frames.get(view, tuple(range(labels.array.shape[3])))
    filled = np.asarray(labels.array[..., list(frames)].any(axis=(0, 1)))
    counted = labels.drawn_slices is None or bool(labels.drawn_slices.all())
    volumes = {
        label.name: tuple(
            float(np.count_nonzero(labels.array[..., frame] == label.code, axis=(0, 1)) @ cine.voxel_volumes_ml)
            for frame in frames
        )
        for label in classes
        if np.any(labels.array == label.code)
    }
    return LabelSummary(
        view=view,
        scheme=labels.scheme,
        drawn=labels.drawn or tuple(label.name for label in classes),
        frames=frames,
        volumes_ml=volumes,
        blood_wall_auc=blood_wall_auc(cine, labels),
        n_frames=cine.n_frames,
        n_slices=cine.n_slices,
        labelled_slices=tuple(filled.sum(axis=0).tolist()) if counted else (),
        reach_mm=tuple((cine.slice_weights_mm @ filled).tolist()) if counted else (),
        frames_with_gaps=tuple(frame for frame, row in zip(frames, filled.T, strict=True) if counted and _has_gap(row)),
        repeated_frames=_repeated(cine, labels, frames),
        place=mask_place(cine, labels, frames) if view is View.SAX else None,
        shapes=shape_remarks(labels, cine.spacing_mm) if view is View.SAX else (),
        image_issues=tuple(
            dict.fromkeys(
                f"the images: {issue.message}" for issue in annotated.study.issues if issue.code in _SIZE_ISSUES
            )
        ),
    )


def _repeated(cine: Cine, labels: LabelMap, frames: Sequence[int]) -> tuple[int, ...]:
    for one, other in pairwise(frames):
        same_labels = np.array_equal(labels.array[..., one], labels.array[..., other])
        if same_labels and not np.array_equal(cine.array[..., one], cine.array[..., other]):
            return (one, other)
    return ()


def _has_gap(labelled: NDArray[np.bool_]) -> bool:
    places = np.flatnonzero(labelled)
    return len(places) > 0 and int(places[-1] - places[0]) >= len(places)
