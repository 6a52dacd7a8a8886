"""Masks that other systems drew, collected by image and structure, and painted as labels on the cines of a study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, without_empty_atria
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, CHAMBER_LABELS
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.reading import Note, ignore_note

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Canvas", "Place", "ReadLabels", "slice_origin"]

_PAINTED = ("la", "ra", "epi", "myo", "lv", "rv")
"""Order of painting: a cavity lies over its wall, a ventricle over its atrium. "epi" is wall and cavity of the LV
together."""
_ATRIA = tuple(label.name for label in ATRIUM_LABELS)
_DRAWN = {"epi": "myo"}
_TITLES = {label.name: label.title for label in CHAMBER_LABELS} | {"epi": "outer border of the LV's wall"}
_LABEL = {label.name: label.code for label in CHAMBER_LABELS} | {"epi": 2}

Place = tuple[int, int, int]
"""Index of the cine in its study, slice and frame."""
Masks = Mapping[str, NDArray[np.bool_]]
"""Structure -> mask (x, y)."""


@dataclass(kw_only=True)
class ReadLabels:
    """Labels of one cine that other systems drew."""

    cine: Cine
    labels: LabelMap
    """All frames of the cine; those that are not in `frames` are empty. Scheme "chambers" if it has an atrium."""
    frames: tuple[int, ...]
    """Frames with a label."""
    drawn: tuple[str, ...]
    """Structures drawn in every one of these frames."""


@dataclass(kw_only=True)
class Canvas:
    """Masks by place and class, collected before they are painted."""

    study: Study
    masks: dict[Place, dict[str, NDArray[np.bool_]]] = field(default_factory=lambda: defaultdict(dict))
    note: Note = ignore_note
    """Receives a remark on what was passed over."""
    source: Path = Path()
    """File whose masks are being added."""
    _sources: dict[tuple[Place, str], Path] = field(default_factory=dict)

    @cached_property
    def places(self) -> Mapping[tuple[str, int], Place]:
        """SOP Instance UID and frame within the object, from 0 -> place."""
        return {
            (image.instance_uid, image.frame): (number, k, t)
            for number, cine in enumerate(self.study)
            if cine.sources is not None
            for k, row in enumerate(cine.sources.images)
            for t, image in enumerate(row)
            if image is not None
        }

    def place(self, reference: Dataset) -> Place | None:
        """Return the place of a referenced image; None for an image that is in no cine."""
        frames = reference.get("ReferencedFrameNumber") or 1
        first = int(frames[0] if isinstance(frames, Sequence) else frames) - 1
        return self.places.get((str(reference.ReferencedSOPInstanceUID), first))

    def add(self, place: Place, name: str, mask: NDArray[np.bool_], *, exclusive: bool = False) -> None:
        """Add a mask (x, y) to a class at a place; `exclusive` keeps what lies in an odd number of masks.

        One file may hold several parts of a structure. Raises `InputError` where two files draw a structure of one
        image, as of two readers: their union or difference would be of neither; and for an atrium in another plane
        than a long axis.
        """
        view = self.study.cines[place[0]].view
        if name in _ATRIA and not view.is_long_axis:
            raise InputError(
                f"'{self.source.name}' has the {_TITLES[name]} in a cine of view '{view}'; expected atria in the long"
                " axes alone, and ventricles in the short axis: export without it"
            )
        first = self._sources.setdefault((place, name), self.source)
        if first != self.source:
            both = [
                one.name if first.name != self.source.name else str(Path(*one.parts[-2:]))
                for one in (first, self.source)
            ]
            raise InputError(
                f"'{both[0]}' and '{both[1]}' both draw the {_TITLES[name]} of one image; expected one"
                " file: keep the labels of one reader, one series and one kind (manual or automatic)"
            )
        masks = self.masks[place]
        if name in masks:
            mask = masks[name] ^ mask if exclusive else masks[name] | mask
        masks[name] = mask

    def painted(self) -> Iterator[ReadLabels]:
        """Yield the labels of each cine that has any.

        The outer border of a wall without its cavity is passed over, with a note: what of its area is blood is unknown.
        """
        for number, cine in enumerate(self.study):
            drawn_on = {place: masks for place, masks in self.masks.items() if place[0] == number}
            own = {place: found for place, masks in drawn_on.items() if (found := _without_lone_border(masks))}
            n_lone = sum("epi" in masks and "lv" not in masks for masks in drawn_on.values())
            if n_lone:
                self.note(f"{cine.label}: passed over outer borders of a wall without its cavity, on {n_lone} images")
            array = np.zeros(cine.shape, np.uint8)
            for (_, k, t), masks in own.items():
                for name in (name for name in _PAINTED if name in masks):
                    array[:, :, k, t][masks[name]] = _LABEL[name]
            frames = sorted({t for _, _, t in own})
            if frames:
                labels = without_empty_atria(LabelMap(array=array, scheme=cine.view.cine_scheme))
                yield ReadLabels(cine=cine, labels=labels, frames=tuple(frames), drawn=_drawn_in_all(own, frames))


def _without_lone_border(masks: Masks) -> Masks:
    return masks if "lv" in masks else {name: mask for name, mask in masks.items() if name != "epi"}


def _drawn_in_all(masks: Mapping[Place, Masks], frames: Sequence[int]) -> tuple[str, ...]:
    """Return the structures that every frame has in some slice; an outline of the LV's wall stands for the wall.

    Where walls were drawn as outlines, the wall counts only if no cavity lies without one: a slice whose wall was not
    drawn would teach blood beside background. Areas (SEG, masks) may leave it out, as at the valves.
    """
    found = {
        frame: {_DRAWN.get(name, name) for (_, _, t), names in masks.items() if t == frame for name in names}
        for frame in frames
    }
    outlined = any("epi" in names for names in masks.values())
    bare = outlined and any("lv" in names and not {"epi", "myo"} & set(names) for names in masks.values())
    return tuple(
        label.name
        for label in CHAMBER_LABELS
        if all(label.name in names for names in found.values()) and not (bare and label.name == "myo")
    )


def slice_origin(cine: Cine, k: int) -> NDArray[np.float64]:
    """Return the centre of the first pixel of a slice, RAS mm; raises `InputError` for a cine not read from DICOM."""
    if cine.sources is None:
        raise InputError("the study was not read from DICOM; expected the DICOM study that was drawn on")
    origin: NDArray[np.float64] = cine.sources.origins_mm[k]
    return origin
