"""Training examples of a segmentation: frames with an expert's labels, a teacher's, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cinema_cmr.core.annotation import LabelMap, SoftLabels, check_same_grid
from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import IGNORE_INDEX, Batch, Sample
from cinema_cmr.image.resample import CropResample

__all__ = ["SegmentExample", "drawn_classes", "largest_share", "make_sample", "mask_examples"]

_DRAWN = "drawn"
"""Name of a sample's value: 1 for each class that was drawn, background first."""


@dataclass(frozen=True, kw_only=True)
class SegmentExample:
    """One frame with labels, its planes resampled to the model's spacing over the whole field of view."""

    name: str
    view: View
    planes: NDArray[np.float16]
    """(x, y, z), intensities divided by their largest magnitude."""
    labels: NDArray[np.uint8]
    """(x, y, z)."""
    slice_mm: float
    drawn: tuple[bool, ...] = ()
    """Whether each class was drawn, background first; empty where all were."""
    drawn_slices: NDArray[np.bool_] | None = None
    """(z,), False in slices without an expert's labels; None where all have them."""
    soft_labels: NDArray[np.uint8] | None = None
    """(x, y, z, class), a teacher's probabilities in 255ths; None without a teacher."""

    @property
    def is_drawn(self) -> bool:
        """Whether an expert's labels count in any slice; False of a frame with a teacher's alone."""
        return self.drawn_slices is None or bool(self.drawn_slices.any())

    @property
    def heart(self) -> tuple[float, float]:
        """Centre of the bounding box of all labels, in pixels; the centre of the image without labels."""
        spots = np.argwhere(self._foreground().any(axis=2))
        if not len(spots):
            return (self.labels.shape[0] - 1) / 2, (self.labels.shape[1] - 1) / 2
        middle = (spots.min(axis=0) + spots.max(axis=0)) / 2
        return float(middle[0]), float(middle[1])

    def _foreground(self) -> NDArray[np.bool_]:
        """Return (x, y, z): the expert's structures and, with a teacher, what is more likely structure than not."""
        foreground: NDArray[np.bool_] = self.labels > 0
        if self.soft_labels is not None:
            foreground |= self.soft_labels[..., 1:].sum(axis=-1, dtype=np.uint16) > SoftLabels.ONE // 2
        return foreground


def mask_examples(
    annotated: AnnotatedStudy, view: View, *, grid: Grid, scheme: str, n_soft_frames: int, of_view: str = ""
) -> list[SegmentExample]:
    """Return an example for each labelled frame of a view, and for `n_soft_frames` others with a teacher's labels.

    The latter are spread evenly over the frames without an expert's labels. Labels of a cine's structures and of all
    chambers stand for each other (`LabelMap.in_scheme`). `of_view` follows the study's name in those of the examples.
    Raises `InputError` for labels of another scheme, `GeometryError` for labels on another grid than the cine.
    """
    cine, labels, soft = annotated.study.cine(view), annotated.labels.get(view), annotated.soft_labels.get(view)
    try:
        labels = None if labels is None else labels.in_scheme(scheme)
        soft = None if soft is None else soft.in_scheme(scheme)
    except InputError as error:
        raise InputError(f"study '{annotated.study.name}': {error}") from error
    if labels is not None:
        check_same_grid(labels, cine)
    drawn_frames = annotated.labelled_frames.get(view, ())
    others = [frame for frame in range(cine.n_frames) if frame not in drawn_frames] if soft is not None else []
    frames = [(frame, labels) for frame in drawn_frames]
    frames += [(frame, None) for frame in _spread(others, n_soft_frames)]
    return [
        _example(
            cine,
            frame,
            name=f"{annotated.study.name}{of_view}, frame {frame}",
            labels=known,
            soft=soft,
            grid=grid,
            scheme=scheme,
        )
        for frame, known in frames
    ]


def _spread(frames: list[int], n: int) -> list[int]:
    """Return at most `n` of the frames, each the middle one of an equal part.

    >>> _spread(list(range(20)), 2)
    [5, 15]
    """
    n = min(n, len(frames))
    return [frames[(2 * index + 1) * len(frames) // (2 * n)] for index in range(n)]


def _example(
    cine: Cine,
    frame: int,
    *,
    name: str,
    labels: LabelMap | None,
    soft: SoftLabels | None,
    grid: Grid,
    scheme: str,
) -> SegmentExample:
    """Return the example of one frame; without `labels` none of its slices counts as drawn."""
    names = [label.name for label in LABEL_SCHEMES[scheme]]
    whole = CropResample.full_plane(cine.array.shape[:2], cine.spacing_mm, grid)
    planes = whole.apply(cine.array[..., frame] - cine.array[..., frame].min())
    drawn = [labels is None or not labels.drawn or name in labels.drawn for name in names]
    codes = np.zeros(cine.array.shape[:3], np.uint8) if labels is None else labels.array[..., frame]
    # Codes of structures that do not count as drawn, e.g. because only some slices have them, are no target.
    codes = np.where(np.isin(codes, np.flatnonzero([True, *drawn])), codes, 0).astype(np.uint8)
    known = labels.drawn_slices[:, frame] if labels is not None and labels.drawn_slices is not None else None
    return SegmentExample(
        name=name,
        view=cine.view,
        planes=np.asarray(planes / max(float(np.abs(planes).max()), 1e-6), dtype=np.float16),
        labels=_resampled_codes(codes, whole, len(names) + 1),
        slice_mm=cine.spacing_mm[2],
        drawn=(True, *drawn),
        drawn_slices=np.zeros(cine.n_slices, dtype=bool) if labels is None else known,
        soft_labels=None if soft is None else np.rint(whole.apply(soft.array[..., frame, :])).astype(np.uint8),
    )


def _resampled_codes(codes: NDArray[np.uint8], whole: CropResample, n_classes: int) -> NDArray[np.uint8]:
    hot = np.eye(n_classes, dtype=np.float32)[codes]
    return np.asarray(whole.apply(hot).argmax(axis=-1), dtype=np.uint8)


def drawn_classes(batch: Batch, n_classes: int) -> Tensor:
    """Return (b, class), True for each class that was drawn: all of them in a batch that does not state it."""
    (labels,) = batch.labels.values()
    stated = batch.values.get(_DRAWN)
    return torch.ones(len(labels), n_classes, dtype=torch.bool, device=labels.device) if stated is None else stated > 0


def make_sample(
    example: SegmentExample,
    image: Tensor,
    labels: Tensor,
    *,
    n_classes: int,
    slices: NDArray[np.int64] | None = None,
    soft: Tensor | None = None,
) -> Sample:
    """Return the sample of an image (x, y, z), of which `slices` of the example were taken, or all."""
    view, drawn = str(example.view), example.drawn or (True,) * n_classes
    if example.drawn_slices is not None:
        known = example.drawn_slices if slices is None else example.drawn_slices[slices]
        labels = labels.masked_fill(torch.from_numpy(~known), IGNORE_INDEX)
    return Sample(
        name=example.name,
        images={view: image.unsqueeze(0).contiguous()},
        labels={view: labels.contiguous()},
        values={_DRAWN: torch.tensor(drawn, dtype=torch.float32)},
        soft_labels={} if soft is None else {view: soft.contiguous()},
    )


def largest_share(shares: Tensor) -> Tensor:
    """Codes (n, x, y), uint8, of the largest of the shares (n, class, x, y), the first where several are.

    As `argmax`, which over an axis that is not the last takes ten times as long.
    """
    best, codes = shares[:, 0], torch.zeros(shares[:, 0].shape, dtype=torch.uint8)
    for code in range(1, shares.shape[1]):
        larger = shares[:, code] > best
        best = torch.maximum(best, shares[:, code])
        codes.masked_fill_(larger, code)
    return codes
