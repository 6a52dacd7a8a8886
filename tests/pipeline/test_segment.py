"""One mask per image."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from oracles import annotated, heart, segmenter

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.results import Flag
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.io.provenance import read_mask_note
from cinema_cmr.pipeline.segment import segment_to_file

LABELS = heart(tuple(12.0 + 3.0 * np.cos(np.linspace(0, 2 * np.pi, 12, endpoint=False))), n_slices=6)


def scan(folder: Path, labels: np.ndarray = LABELS) -> Path:  # type: ignore[type-arg]
    path = folder / "scan.nii.gz"
    write_cine(annotated(labels).study.cines[0], path)
    return path


def test_mask_is_on_the_grid_of_its_image_and_names_its_origin(tmp_path: Path) -> None:
    source = scan(tmp_path, LABELS[..., 0:1])
    its = segmenter(size=(63, 59))
    target = tmp_path / "mask.nii.gz"
    segment_to_file(source, target, segmenter=its)
    mask = nibabel.load(target)
    assert mask.shape == nibabel.load(source).shape
    overlap = (np.asarray(mask.dataobj).reshape(LABELS.shape[:3]) == 3) & (LABELS[..., 0] == 3)
    assert overlap.sum() > 0.97 * (LABELS[..., 0] == 3).sum()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert read_mask_note(target).startswith(f"cinema-cmr input {digest[:16]} model")
    with pytest.raises(OutputExistsError):
        segment_to_file(source, target, segmenter=its)


def test_heart_that_exceeds_the_field_of_view_is_warned_of(tmp_path: Path) -> None:
    flags: list[Flag] = []
    segment_to_file(scan(tmp_path), tmp_path / "a.nii.gz", segmenter=segmenter(size=(32, 32)), warn=flags.append)
    assert "heart-exceeds-fov" in [flag.code for flag in flags]
