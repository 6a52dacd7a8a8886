"""A DICOMDIR tells which files a copy of the disc lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid
from synthetic_dicom import new_image, save

from cinema_cmr.io.dicom.files import read_headers
from cinema_cmr.io.read import read_study

PIXELS = np.arange(24, dtype=np.uint16).reshape(4, 6)


def write_directory(folder: Path, listed: list[list[str]]) -> Path:
    """A DICOMDIR that lists files by their parts."""
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    records = []
    for parts in listed:
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", parts
        records.append(record)
    directory.DirectoryRecordSequence = Sequence(records)
    path = folder / "DICOMDIR"
    directory.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(("n_files", "missing"), [(3, 0), (2, 1), (1, 2)])
def test_files_that_the_index_lists_and_the_copy_lacks_are_counted(tmp_path: Path, n_files: int, missing: int) -> None:
    listed = [["DICOM", "S1", f"I{k}"] for k in range(3)]
    for parts in listed[:n_files]:
        save(new_image(PIXELS), tmp_path.joinpath(*parts))
    write_directory(tmp_path, listed)
    found = read_headers(tmp_path)
    evidence = [issue.evidence for issue in found.issues if issue.code == "listed-files-missing"]
    assert evidence == ([{"listed": 3, "missing": missing}] if missing else [])
    assert found.n_directories == 1 and len(found.headers) == n_files


def test_renamed_files_are_not_missing(tmp_path: Path) -> None:
    for k in range(2):
        save(new_image(PIXELS), tmp_path / f"renamed{k}")
    write_directory(tmp_path, [["I0"], ["I1"]])
    assert read_headers(tmp_path).issues == ()


def test_the_index_itself_stands_for_its_folder(tmp_path: Path) -> None:
    save(new_image(PIXELS), tmp_path / "DICOM" / "I0")
    path = write_directory(tmp_path, [["DICOM", "I0"]])
    with pytest.raises(Exception, match="no cine found among 1 DICOM files"):
        read_study(path)
