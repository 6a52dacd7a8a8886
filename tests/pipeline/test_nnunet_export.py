"""A labelled folder for nnU-Net from Python: what was written, what was left out, and how it goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart

import cinema_cmr as cmr


def test_labelled_frames_are_written_in_the_parts_of_the_split(tmp_path: Path) -> None:
    for number in range(5):
        labels = heart((11.0 + number,), n_slices=3)
        cine = cine_of(labels)
        cmr.write_cine(cine.with_array(cine.array.astype(np.float32)), tmp_path / f"p{number}.nii.gz")
        cmr.write_mask(labels, cine, tmp_path / f"p{number}_seg.nii.gz")
    done: list[tuple[int, int]] = []
    folder = tmp_path / "out" / "Dataset501_lab"
    export = cmr.export_nnunet(tmp_path, folder, report=lambda n, total: done.append((n, total)))
    assert sum(map(len, export.volumes.values())) == 5 and done[-1] == (5, 5) and not export.skipped
    assert (folder / "dataset.json").exists() and (folder / "split.json").exists()
    with pytest.raises(cmr.UsageError, match="expected DatasetNNN_NAME"):
        cmr.export_nnunet(tmp_path, tmp_path / "lab")
