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

    All items have the same shape, so that the default collation of a `DataLoader` stacks them.
    """

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
        dataset, cases = find_cases(f"{name}:{root}")
        split = find_split(None, dataset, cases)
        patients = sorted({case.patient for case in cases}) if part == "all" else list(split[part])
        studies = read_patients(dataset, cases, patients)
        if not studies:
            raise InputError(f"no labelled study in part '{part}' of '{name}'; expected images with masks")
        self.view, self.n_slices = View.parse(view), n_slices
        grid = Grid(spacing_mm=spacing_mm, size=size)
        scheme = next((one.labels[self.view].scheme for one in studies if self.view in one.labels), "cine")
        config = SegmentConfig(grid=grid, view=self.view, label_scheme=scheme, modality=studies[0].study.modality)
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
