"""No canary in any element survives, private and nested ones included; what an analysis needs does."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from dicom_tools import validation_errors
from interop_hearts import analysed, long_axis_cine, set_elements, stack_cine, write_study
from pydicom import dcmread
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.interop.deidentify import _HINT_WORDS, deidentify
from cinema_cmr.io.dicom.files import quiet_pydicom
from cinema_cmr.io.dicom.image_kind import _HINT_PATTERNS, parse_hints
from cinema_cmr.io.dicom.writing.series import DicomShape

CANARY = "CANARY7"
NEEDED = {
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("Modality", "PatientID", "PhotometricInterpretation", "ComplexImageComponent", "PatientSex", "PatientAge"),
}
"""Without their values the file would be no MR image of one person."""
TEXTS = {"LO": CANARY, "SH": CANARY, "LT": CANARY, "ST": CANARY, "UT": CANARY, "UC": CANARY, "PN": f"{CANARY}^Anna"}
TEXTS |= {"AE": CANARY, "CS": CANARY, "UR": f"http://{CANARY}", "UI": "1.2.826.7777777", "AS": CANARY}
TEXTS |= {"DA": "19700203", "DT": "19700203112233", "TM": "112233"}


def plant(dataset: Dataset) -> None:
    """Put a canary into every text element of the dictionary that the image lacks or can lose, and private ones."""
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        if vr not in TEXTS or retired or keyword in NEEDED or tag >> 16 in (0, 2, 4) or keyword in dataset:
            continue
        dataset.add(DataElement(tag, vr, TEXTS[vr], validation_mode=0))
    for keyword in ("SeriesDescription", "ImageType", "StudyDescription"):
        setattr(dataset, keyword, [CANARY, "PRIMARY"] if keyword == "ImageType" else f"{CANARY} short axis")
    block = dataset.private_block(0x0029, f"{CANARY} CREATOR", create=True)
    block.add_new(0x10, "LO", CANARY)
    block.add_new(0x11, "OB", CANARY.encode() + b"\0")
    for keyword in ("TriggerTime", "EchoTime", "WindowCenter"):
        tag = tag_for_keyword(keyword)
        dataset[tag] = RawDataElement(Tag(tag), "DS", 8, b"CANARY7 ", 0, False, True)
    nested = Dataset()
    nested.PatientName = f"{CANARY}^Nested"
    nested.private_block(0x0031, CANARY, create=True).add_new(0x01, "LO", CANARY)
    dataset.ReferencedImageSequence = [nested]
    dataset.add_new(0x60000022, "LO", CANARY)
    for group in dataset.get("SharedFunctionalGroupsSequence", []):
        group.ReferencedImageSequence = [nested]
        group.PixelMeasuresSequence[0].RequestedProcedureDescription = CANARY


@pytest.mark.medium
@pytest.mark.parametrize("shape", [DicomShape.SERIES_PER_VIEW, DicomShape.ENHANCED])
def test_no_canary_survives(tmp_path: Path, shape: DicomShape) -> None:
    study = write_study(tmp_path / CANARY, stack_cine([0, 10, 20]), shape=shape, identity=True)
    planted = sorted(study.rglob("*.dcm"))[:2]
    n_planted = 0
    with quiet_pydicom(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in planted:
            dataset = dcmread(path)
            plant(dataset)
            dataset.preamble = CANARY.encode().ljust(128, b"\0")
            dataset.file_meta.SourceApplicationEntityTitle = CANARY
            n_planted += len(dataset)
            dataset.save_as(path)
    assert n_planted > 1500
    done = deidentify(study, tmp_path / "out")
    assert done.n_images == len(list(study.rglob("*.dcm")))
    assert any("overlays" in warning for warning in done.warnings)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes()
        for secret in (CANARY, "1.2.826.7777777", "19700203", "Anna", "P-0017", "A-99", "House", "Elsewhere"):
            assert secret.encode() not in data and secret.encode("utf-16-le") not in data, (path.name, secret)
        assert CANARY not in str(path.relative_to(tmp_path / "out"))
        dataset = dcmread(path)
        assert not any(element.tag.is_private for element in dataset.iterall())
        assert dataset.PatientIdentityRemoved == "YES"


@pytest.mark.medium
@pytest.mark.parametrize("shape", list(DicomShape))
def test_the_analysis_is_the_same(tmp_path: Path, shape: DicomShape) -> None:
    study = write_study(tmp_path / "study", stack_cine(), long_axis_cine(), shape=shape, identity=True)
    deidentify(study, tmp_path / "out")
    before, after = analysed(study), analysed(tmp_path / "out")
    assert before.study.subject == after.study.subject
    for one, other in zip(before.study, after.study, strict=True):
        assert one.view == other.view
        np.testing.assert_array_equal(one.array, other.array)
        np.testing.assert_array_equal(one.affine, other.affine)
        np.testing.assert_array_equal(one.slice_positions_mm, other.slice_positions_mm)
        assert one.rr_interval_ms == other.rr_interval_ms
    assert before.measurements.to_dict() == after.measurements.to_dict()
    assert [flag.code for flag in before.measurements.flags] == [flag.code for flag in after.measurements.flags]
    images = sorted((tmp_path / "out").rglob("*.dcm"))
    assert validation_errors(*images[:3]) == []


@pytest.mark.medium
def test_identifiers_are_new_consistent_and_repeat_with_a_key_only(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine([0, 10]), shape=DicomShape.SERIES_PER_SLICE)

    def identity(name: str, key: str | None) -> tuple[set[str], set[str], set[str]]:
        deidentify(study, tmp_path / name, key=key)
        images = [dcmread(path) for path in (tmp_path / name).rglob("*.dcm")]
        return (
            {str(one.StudyInstanceUID) for one in images},
            {str(one.SeriesInstanceUID) for one in images},
            {str(one.PatientID) for one in images},
        )

    first, again, random, other = (identity(*call) for call in (("a", "k"), ("b", "k"), ("c", None), ("d", None)))
    assert [len(part) for part in first] == [1, 2, 1]
    assert first == again
    original = {str(dcmread(path).StudyInstanceUID) for path in study.rglob("*.dcm")}
    assert len(original | first[0] | random[0] | other[0]) == 4


@pytest.mark.medium
def test_burnt_in_text_old_age_and_other_objects(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    set_elements(study, BurnedInAnnotation="YES", PatientAge="097Y")
    capture = dcmread(next(study.rglob("*.dcm")))
    capture.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    capture.save_as(study / "screen.dcm")
    done = deidentify(study, tmp_path / "out")
    assert any("burnt into the pixels" in warning for warning in done.warnings)
    assert sum(done.left_out.values()) == 1
    (image,) = (dcmread(path) for path in (tmp_path / "out").rglob("*.dcm"))
    assert image.PatientAge == "090Y"


def test_several_patients_are_refused(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine([0, 10]), shape=DicomShape.SERIES_PER_SLICE)
    set_elements(sorted(study.iterdir())[0], PatientID="someone else")
    with pytest.raises(InputError, match="MR images of 2 patients"):
        deidentify(study, tmp_path / "out")
    set_elements(study, PatientID="one")
    set_elements(sorted(study.iterdir())[0], StudyDate="20190523")
    set_elements(sorted(study.iterdir())[1], StudyDate="20200714")
    with pytest.raises(InputError, match="MR images of 2 study dates"):
        deidentify(study, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no MR image"):
        deidentify(tmp_path / "empty", tmp_path / "out")


@pytest.mark.parametrize("hint", _HINT_PATTERNS)
def test_hints_of_a_description_survive_as_words(hint: str) -> None:
    assert parse_hints(f"cine {_HINT_WORDS[hint]}") == (hint,)


def test_damaged_images_are_left_out_and_a_study_of_them_refused(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine([0, 10]), shape=DicomShape.SERIES_PER_SLICE)
    files = sorted(study.rglob("*.dcm"))
    files[0].write_bytes(files[0].read_bytes()[:700])
    done = deidentify(study, tmp_path / "out")
    assert done.left_out == {"a damaged image": 1} and done.n_images == len(files) - 1
    for file in files:
        file.write_bytes(file.read_bytes()[:700])
    with pytest.raises(UnreadableFileError, match="none of the"):
        deidentify(study, tmp_path / "again")
    assert not (tmp_path / "again").exists()
