"""Labelled frames as batches of a torch data loader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart
from torch.utils.data import DataLoader

from cinema_cmr.core.errors import UsageError
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.pipeline.frame_dataset import FrameDataset


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Three labelled stacks of one frame, of three or four slices."""
    for number, radius in enumerate((11.0, 12.0, 13.0)):
        labels = heart((radius,), n_slices=3 + number % 2)
        cine = cine_of(labels)
        noise = np.random.default_rng(number).normal(0, 10, cine.shape)
        write_cine(cine.with_array((cine.array + noise).astype(np.float32)), tmp_path / f"p{number}.nii.gz")
        write_mask(labels, cine, tmp_path / f"p{number}_seg.nii.gz")
    return tmp_path


def test_default_collation_stacks_all_frames(labelled: Path) -> None:
    frames = FrameDataset("folder", labelled, part="all", size=(32, 32), n_slices=4)
    batch = next(iter(DataLoader(frames, batch_size=len(frames))))
    assert batch["image"].shape == (3, 1, 32, 32, 4) and batch["label"].shape == (3, 32, 32, 4)
    assert set(batch["label"].unique().tolist()) == {0, 1, 2, 3, 255}
    assert len(set(batch["name"])) == 3


def test_too_few_slices_are_refused(labelled: Path) -> None:
    with pytest.raises(UsageError, match="n_slices is 3; the largest stack"):
        FrameDataset("folder", labelled, part="all", n_slices=3)
