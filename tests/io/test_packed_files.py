"""Packed files beside the images are not passed over in silence, as half of a stack may lie in them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cinema_cmr.io.packed_files import is_packed, packed_issues
from cinema_cmr.io.read import read_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    array = np.random.default_rng(0).integers(50, 900, (20, 18, 5, 8)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.5, 1.5, 8, 1])), tmp_path / "sax.nii.gz")
    return tmp_path


@pytest.mark.parametrize("name", ["base.zip", "base.tar", "base.tar.gz", "I0001.dcm.gz", "base.7z"])
def test_a_packed_file_is_a_warning(folder: Path, name: str) -> None:
    assert not [one for one in read_study(folder).issues if one.code == "packed-files-ignored"]
    (folder / name).write_bytes(b"packed")
    (issue,) = [one for one in read_study(folder).issues if one.code == "packed-files-ignored"]
    assert (issue.severity, issue.evidence["files"]) == ("warning", 1)
    assert name not in issue.message


def test_the_zip_of_the_study_itself_is_none(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    shutil.copy(folder / "sax.nii.gz", inner)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "sax.nii.gz", "study/sax.nii.gz")
    files = [folder / "sax.nii.gz", folder / "all.zip"]
    assert packed_issues(files) == []
    with zipfile.ZipFile(folder / "all.zip", "a") as archive:
        archive.writestr("study/base.nii.gz", b"more")
    assert len(packed_issues(files)) == 1


def test_nifti_is_not_packed() -> None:
    assert not is_packed(Path("sax.nii.gz")) and is_packed(Path("SAX.TAR.GZ"))
