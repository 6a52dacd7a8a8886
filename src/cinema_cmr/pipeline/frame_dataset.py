"""Labelled frames of a dataset as tensors, for a torch `DataLoader`."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import IGNORE_INDEX
from cinema_cmr.datasets.reading import find_cases, find_split, read_patients
from cinema_cmr.tasks.segment import SegmentConfig, SegmentExample, SegmentTask

__all__ = ["Frame", "FrameDataset"]


class Frame(TypedDict):
    """One labelled frame."""

    image: Tensor
    """(1, x, y, z), float32, scaled to about 0 to 1."""
    label: Tensor
    """(x, y, z), int64; 255 in padded slices."""
    name: str
    """Study and frame."""


class FrameDataset(Dataset[Frame]):
    """The labelled frames of one view and one part of a dataset, cropped around the heart to one size.

    All items have the same shape, so that the default collation of a `DataLoader` stacks them: `size` pixels of
    `spacing_mm` around the heart, padded to `n_slices`. `part` is train, validation or test of the dataset's split, or
    all. Raises `InputError` if the part has no mask of the view. Studies without one, and those that cannot be read,
    are named in `left_out`.
    """

    left_out: tuple[str, ...]
    """Studies of the part without frames here, each with the reason."""

    def __init__(
        self,
        name: str,
        root: Path | str,
        *,
        part: str = "train",
        view: View | str = View.SAX,
        spacing_mm: float = 1.5,
        size: tuple[int, int] = (128, 128),
        n_slices: int = 16,
    ) -> None:
        self.view, self.n_slices = View.parse(view), n_slices
        studies, self.left_out = _studies_with_masks(name, Path(root), part, self.view)
        grid = Grid(spacing_mm=spacing_mm, size=size)
        schemes = [study.labels[self.view].scheme for study in studies]
        # In some long-axis masks the atria may not have been drawn.
        scheme = "chambers" if "chambers" in schemes else schemes[0]
        modality = studies[0].study.modality
        config = SegmentConfig(grid=grid, view=self.view, label_scheme=scheme, modality=modality)
        self._task = SegmentTask(config, nn.Identity())
        self._frames: list[SegmentExample] = [frame for study in studies for frame in self._task.examples(study)]
        largest = max(frame.labels.shape[2] for frame in self._frames)
        if largest > n_slices:
            raise UsageError(f"n_slices is {n_slices}; the largest stack of '{name}' has {largest}: give at least that")

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        sample = self._task.sample(self._frames[index], None)
        image, label = sample.images[self.view], sample.labels[self.view].long()
        padding = (0, self.n_slices - label.shape[-1])
        return {
            "image": F.pad(image, padding).to(torch.float32),
            "label": F.pad(label, padding, value=IGNORE_INDEX),
            "name": sample.name,
        }


def _studies_with_masks(name: str, root: Path, part: str, view: View) -> tuple[list[AnnotatedStudy], tuple[str, ...]]:
    """Return the studies of a part that have masks of the view, and a message for each other one."""
    dataset, cases = find_cases(f"{name}:{root}")
    left_out: list[str] = []
    everyone = sorted({case.patient for case in cases})
    patients = everyone if part == "all" else list(find_split(None, dataset, cases, note=left_out.append)[part])
    labelled = read_patients(dataset, cases, patients, note=left_out.append)
    studies = [one for one in labelled if view in one.labels]
    left_out += [f"left out: {one.study.name}: no {view.title} masks" for one in labelled if view not in one.labels]
    if not studies:
        first = f" ({left_out[0]})" if left_out else ""
        raise InputError(f"no {view.title} masks in part '{part}' of '{name}'{first}; expected images with masks")
    return studies, tuple(left_out)
