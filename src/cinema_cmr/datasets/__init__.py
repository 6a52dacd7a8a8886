"""Datasets by name: `cinema_cmr.datasets.acdc(root)` opens the labelled frames of ACDC for a torch `DataLoader`.

Each registered dataset is a function of this module; its parameters are those of `FrameDataset`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cinema_cmr.core.vocabulary import View

if TYPE_CHECKING:
    from cinema_cmr.pipeline.frame_dataset import FrameDataset

__all__ = [
    "acdc",
    "emidec",
    "folder",
    "kaggle",
    "landmark",
    "mnms",
    "mnms2",
    "myops",
    "rescan",
    "results",
    "results_all",
    "sunnybrook",
    "ukb",
]


def __getattr__(name: str) -> Callable[..., FrameDataset]:
    """Return the function that opens the dataset of this name, one of your own registration too."""
    from cinema_cmr.datasets.registry import DATASETS

    if name not in DATASETS:
        raise AttributeError(f"no dataset '{name}' in 'cinema_cmr.datasets'; expected one of: {', '.join(DATASETS)}")
    return _opener(name, DATASETS[name].card.title)


def __dir__() -> list[str]:
    return list(__all__)


def _opener(name: str, title: str) -> Callable[..., FrameDataset]:
    def open_frames(
        root: Path | str,
        *,
        part: str = "train",
        view: View | str = View.SAX,
        spacing_mm: float = 1.5,
        size: tuple[int, int] = (128, 128),
        n_slices: int = 16,
    ) -> FrameDataset:
        from cinema_cmr.pipeline.frame_dataset import FrameDataset

        return FrameDataset(name, root, part=part, view=view, spacing_mm=spacing_mm, size=size, n_slices=n_slices)

    open_frames.__name__ = open_frames.__qualname__ = name
    open_frames.__doc__ = f"Labelled frames of: {title}"
    return open_frames
