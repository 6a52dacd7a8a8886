"""Annotations, manual or predicted: label maps on a cine's grid, and landmarks in patient space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, InputError, unknown_name
from cinema_cmr.core.vocabulary import (
    ATRIUM_LABELS,
    CINE_LABELS,
    LABEL_SCHEMES,
    LANDMARKS,
    VENTRICULAR_SCHEMES,
    View,
)
from cinema_cmr.core.volume import Cine

__all__ = ["LabelMap", "Landmarks", "SoftLabels", "check_same_grid", "has_atria", "without_empty_atria"]


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """Class codes on the grid of the cine they belong to."""

    array: NDArray[np.uint8]
    """(x, y, z, t), the cine's own shape; codes of `scheme`."""
    scheme: str = "cine"
    """Key of the codes' table in `core.vocabulary.LABEL_SCHEMES`."""
    drawn: tuple[str, ...] = ()
    """Structures that were drawn; empty for all of the scheme. Where one that was not drawn lies the code is 0, which
    then stands for "unknown", not for background.
    """
    drawn_slices: NDArray[np.bool_] | None = None
    """(z, t), True in slices that were drawn; None for all of the labelled frames."""

    def __post_init__(self) -> None:
        names = [label.name for label in LABEL_SCHEMES.get(self.scheme, ())]
        for name in self.drawn:
            if name not in names:
                raise unknown_name("structure", name, names)
        if self.drawn_slices is not None and self.drawn_slices.shape != self.array.shape[2:]:
            raise GeometryError(
                f"drawn slices have shape {self.drawn_slices.shape}; expected (z, t) of the label map,"
                f" {self.array.shape[2:]}"
            )

    @classmethod
    def from_array(cls, array: NDArray[Any], *, scheme: str = "cine") -> LabelMap:
        """Return the label map of codes (x, y, z, t) in numbers of any type, as other programs give them.

        Raises `GeometryError` for another number of axes, `InputError` for values that are no codes of the scheme.
        """
        if array.ndim != 4:
            raise GeometryError(f"label map of shape {array.shape}; expected four axes (x, y, z, t)")
        known = [0, *(label.code for label in LABEL_SCHEMES[scheme])]
        unknown = [value for value in np.unique(array).tolist() if value not in known]
        if unknown:
            raise InputError(f"label map with the values {unknown[:8]}; expected the codes {known}: translate them")
        return cls(array=array.astype(np.uint8), scheme=scheme)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.array.shape))
        only = f", only {', '.join(self.drawn)} drawn" if self.drawn else ""
        return f"LabelMap({shape} voxels, scheme '{self.scheme}'{only})"

    @property
    def is_complete(self) -> bool:
        """Whether every structure of the scheme was drawn in every slice."""
        names = {label.name for label in LABEL_SCHEMES[self.scheme]}
        all_drawn = not self.drawn or names <= set(self.drawn)
        return all_drawn and (self.drawn_slices is None or bool(self.drawn_slices.all()))

    def in_scheme(self, scheme: str) -> LabelMap:
        """Return this map in the scheme "cine" or "chambers", which share their first codes.

        Of the atria nothing is known where only the cine's structures stand; as a cine's, atria are background. Raises
        `InputError` for schemes that share no codes.
        """
        if scheme == self.scheme:
            return self
        if not {scheme, self.scheme} <= set(VENTRICULAR_SCHEMES):
            raise InputError(
                f"labels of scheme '{self.scheme}' have no place in '{scheme}'; expected labels of that scheme"
            )
        if scheme == "chambers":
            return replace(self, scheme=scheme, drawn=self.drawn or tuple(label.name for label in CINE_LABELS))
        drawn = tuple(label.name for label in CINE_LABELS if label.name in self.drawn)
        if self.drawn and not drawn:
            raise InputError(f"only {', '.join(self.drawn)} drawn; expected a structure of the scheme '{scheme}'")
        complete = len(drawn) == len(CINE_LABELS)
        return replace(self, scheme=scheme, array=self.ventricular_codes, drawn=() if complete else drawn)

    @property
    def ventricular_codes(self) -> NDArray[np.uint8]:
        """(x, y, z, t), the codes of a cine's map with the atria as background.

        What is measured beside the ventricles, such as the valve where their blood borders no wall, is then the same
        whether the atria were drawn or not.
        """
        if self.scheme != "chambers":
            return self.array
        return np.where(self.array <= CINE_LABELS[-1].code, self.array, 0).astype(np.uint8)

    def select(self, frames: Sequence[int]) -> LabelMap:
        """Return the label map of some frames, in the order given."""
        slices = None if self.drawn_slices is None else self.drawn_slices[:, list(frames)]
        return replace(self, array=self.array[..., list(frames)], drawn_slices=slices)

    @property
    def shape(self) -> tuple[int, ...]:
        """(x, y, z, t)."""
        return self.array.shape


@dataclass(frozen=True, kw_only=True)
class SoftLabels:
    """Class probabilities of a teacher model on the grid of the cine they belong to."""

    ONE: ClassVar[int] = 255
    """Stored value of a probability of 1."""

    array: NDArray[np.uint8]
    """(x, y, z, t, class), background first; all zero where the teacher predicts nothing."""
    scheme: str = "cine"
    """Key of the classes' table in `core.vocabulary.LABEL_SCHEMES`."""
    teacher: str = ""
    """Name of the model."""

    def in_scheme(self, scheme: str) -> SoftLabels:
        """Return the labels for a network of the scheme "cine" or "chambers", which share their first codes.

        As a cine's, the probability of atria is background's. A cine's teacher stays as it is: its background may hold
        atria (`models.losses.distillation`). Raises `InputError` for schemes that share no codes.
        """
        if scheme == self.scheme or (self.scheme, scheme) == ("cine", "chambers"):
            return self
        if (self.scheme, scheme) != ("chambers", "cine"):
            raise InputError(
                f"teacher's labels of scheme '{self.scheme}' have no place in '{scheme}'; expected labels of that"
                " scheme"
            )
        n_kept = 1 + len(CINE_LABELS)
        kept = self.array[..., :n_kept].copy()
        kept[..., 0] += self.array[..., n_kept:].sum(axis=-1, dtype=np.uint16).astype(np.uint8)
        return replace(self, array=kept, scheme=scheme)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.array.shape[:4]))
        return f"SoftLabels({shape} voxels of '{self.teacher}', scheme '{self.scheme}')"


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """Points per frame of one long-axis view, in RAS mm, sub-pixel."""

    view: View
    points: Mapping[str, NDArray[np.float64]]
    """Name -> (t, 3); NaN in a frame without the point."""

    def __repr__(self) -> str:
        n_frames = max((len(points) for points in self.points.values()), default=0)
        return f"Landmarks({self.view}: {', '.join(self.points)}; {n_frames} frame{'s' * (n_frames != 1)})"

    def tracks(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the (t, 3) points of the two mitral hinges, in the order of `LANDMARKS`, and of the apex.

        Raises `InputError` for a view that has no such points, and where one of them is missing.
        """
        names = LANDMARKS.get(self.view, ())
        if not names or not self.points.keys() >= set(names):
            expected = f"{', '.join(names)}, NaN where unknown" if names else f"those of {' or '.join(LANDMARKS)}"
            raise InputError(
                f"landmarks of the {self.view.title} view are {', '.join(self.points) or 'empty'}; expected {expected}:"
                " complete them, or leave the view out"
            )
        first, second, apex = (self.points[name] for name in names)
        return first, second, apex


def has_atria(labels: LabelMap) -> bool:
    """Return whether any voxel of a label map is of an atrium."""
    codes = [label.code for label in ATRIUM_LABELS]
    return labels.scheme == "chambers" and bool(np.isin(labels.array, codes).any())


def without_empty_atria(labels: LabelMap) -> LabelMap:
    """Return a map in the scheme "chambers" without any atrium in the scheme "cine"; any other as it is.

    Files state no scheme: a long-axis mask that was read may be of a model, or a reader, that outlines no atria.
    """
    is_cine = labels.scheme == "chambers" and not has_atria(labels)
    return labels.in_scheme("cine") if is_cine else labels


def check_same_grid(labels: LabelMap, cine: Cine) -> None:
    """Raise `GeometryError` unless the label map has the cine's shape."""
    if labels.array.shape != cine.array.shape:
        raise GeometryError(
            f"label map has shape {labels.array.shape}, its image {cine.array.shape};"
            " a mask must be on its image's grid"
        )
