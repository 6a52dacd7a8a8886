"""Packed files beside the images are not passed over in silence, as half of a stack may lie in them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from cine_frames import blood_ml, true_blood_ml, usual, write

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.interop.study_files import dicom_files
from cinema_cmr.io.packed_files import is_packed, packed_issues
from cinema_cmr.io.read import input_files, read_study


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


def pack(folder: Path, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


@pytest.fixture
def zips(tmp_path: Path) -> Path:
    """A stack of which each slice is a series in a zip of its own, all members with the same names."""
    for one in usual():
        pack(write(tmp_path / "series" / str(one.series), [one]), tmp_path / "study" / f"{one.series}.zip")
    return tmp_path / "study"


@pytest.mark.medium
def test_a_folder_with_a_zip_for_each_series_is_one_study(zips: Path, tmp_path: Path) -> None:
    study = read_study(zips)
    assert study.name == "study" and not [one for one in study.issues if one.severity != "info"]
    np.testing.assert_allclose(blood_ml(study.cine(View.SAX)), true_blood_ml(usual()), rtol=0.01)
    assert [path.name for path in input_files(zips)] == [f"{k}.zip" for k in range(1, 7)]
    with dicom_files(zips) as files:
        assert len(files) == 120
    inside = read_study(pack(zips, tmp_path / "all.zip"))
    np.testing.assert_array_equal(inside.cine(View.SAX).array, study.cine(View.SAX).array)
    (zips / "more.tar").write_bytes(b"packed")
    assert [one.code for one in read_study(zips).issues if one.severity == "warning"] == ["packed-files-ignored"]


def test_zips_that_are_no_study_are_refused_with_what_to_do(tmp_path: Path) -> None:
    inner = tmp_path / "0"
    inner.mkdir()
    (inner / "1.dcm").write_bytes(b"image")
    for k in range(1, 4):
        pack(tmp_path / str(k - 1), tmp_path / str(k) / "a.zip")
    with pytest.raises(InputError, match=r"zips within zips within zips; .*: unpack them"):
        read_study(tmp_path / "3")
    for k in range(200):
        shutil.copy(tmp_path / "1" / "a.zip", tmp_path / "1" / f"{k}.zip")
    with pytest.raises(InputError, match=r"201 zips and no image; .* pass the zips of each study alone"):
        read_study(tmp_path / "1")
    (tmp_path / "tars").mkdir()
    (tmp_path / "tars" / "a.tar").write_bytes(b"packed")
    with pytest.raises(InputError, match=r"1 packed files .*: unpack them"):
        read_study(tmp_path / "tars")
