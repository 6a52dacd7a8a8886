"""The images of a study are found again in any container; a wrong or stripped study is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from interop_hearts import set_elements, stack_cine, write_study
from pydicom import dcmread

from cinema_cmr.core.errors import InputError
from cinema_cmr.interop.study_files import read_study_files
from cinema_cmr.io.dicom.writing.series import DicomShape


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED, identity=True)


def uid_of(study: Path) -> str:
    return str(dcmread(next(study.rglob("*.dcm"))).SOPInstanceUID)


def test_a_folder_a_file_and_a_zip_give_the_same(study: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "zipped"), "zip", study)
    uid = uid_of(study)
    for source in (study, next(study.rglob("*.dcm")), tmp_path / "zipped.zip"):
        files = read_study_files(source, [uid])
        assert files.identity()["PatientName"] == "Müller^Anna"
        assert list(files.headers) == [uid]
        assert "InstitutionName" not in files.first and "PixelData" not in files.first


def test_images_of_another_study_are_missed(study: Path) -> None:
    with pytest.raises(InputError, match="lacks 1 of the 2 DICOM images"):
        read_study_files(study, [uid_of(study), "1.2.3.4"])


def test_a_study_without_its_identifier_is_refused(study: Path) -> None:
    set_elements(study, StudyInstanceUID="")
    with pytest.raises(InputError, match="no Study Instance UID"):
        read_study_files(study, [uid_of(study)])
