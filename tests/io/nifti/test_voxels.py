"""What a NIfTI header claims is held against the bytes that are there, before they are unpacked or allocated."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from nibabel import Nifti1Header

from cinema_cmr.core.errors import GeometryError, InputError, UnreadableFileError
from cinema_cmr.io.nifti.labels import read_label_codes, read_label_shape
from cinema_cmr.io.nifti.voxels import check_nifti, read_voxels, stored_shape

VOXELS = np.arange(60, dtype=np.int16)


def header(**fields: object) -> bytes:
    made = Nifti1Header()
    made.set_data_shape((3, 4, 5))
    made.set_data_dtype(np.int16)
    made["magic"], made["vox_offset"] = b"n+1", 352
    for field, value in fields.items():
        made[field] = value
    return bytes(made.binaryblock) + bytes(4)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_voxels_are_read_whole(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, header() + VOXELS.tobytes() + b"what follows is not read")
    found, voxels = read_voxels(path)
    assert stored_shape(found) == (3, 4, 5) and bytes(voxels) == VOXELS.tobytes()
    assert stored_shape(check_nifti(path)) == (3, 4, 5)


BEYOND = [4, 2000, 2000, 100, 10, 1, 1, 1]


def test_more_voxels_than_bytes_are_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nii", header(dim=BEYOND))
    for read in (read_voxels, check_nifti):
        with pytest.raises(UnreadableFileError, match="truncated to 352 bytes; expected 8000000352"):
            read(path)


def test_a_small_file_that_unpacks_to_gigabytes_is_a_bomb(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nii.gz", header(dim=BEYOND))
    for read in (read_voxels, read_label_shape):
        with pytest.raises(UnreadableFileError, match="refused as a decompression bomb"):
            read(path)


@pytest.mark.parametrize("offset", [348, (16 << 20) + 16, 1e12, -352])
def test_voxels_begin_after_the_header_and_near_it(tmp_path: Path, offset: float) -> None:
    with pytest.raises(UnreadableFileError, match="the header is damaged"):
        read_voxels(written(tmp_path / "a.nii.gz", header(vox_offset=offset)))


def test_an_image_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.core.memory.free_memory_bytes", lambda: 700)
    with pytest.raises(InputError, match="the image takes"):
        read_voxels(written(tmp_path / "a.nii", header() + VOXELS.tobytes()))


def test_a_mask_of_another_shape_is_not_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nii.gz", header())  # without any voxel
    with pytest.raises(GeometryError, match=r"has shape \(3, 4, 5\)"):
        read_label_codes(path, (3, 4, 6, 1), codes={1: 1})
