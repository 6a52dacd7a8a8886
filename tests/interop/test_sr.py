"""The structured report gives back every number with its code, unit, phase and rule, and refers to the masks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dicom_tools import run_tool, validation_errors
from interop_hearts import UNEVEN, analysed, long_axis_cine, stack_cine, write_study
from pydicom import dcmread
from pydicom.dataset import Dataset

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.interop.export import export_analysis
from cinema_cmr.interop.measurement_codes import coded_measurements
from cinema_cmr.io.dicom.writing.series import DicomShape

pytest.importorskip("highdicom")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    folder = tmp_path_factory.mktemp("sr")
    study = write_study(
        folder / "study", stack_cine(UNEVEN), long_axis_cine(), shape=DicomShape.SERIES_PER_VIEW, identity=True
    )
    analysis = analysed(study)
    export_analysis(analysis, study, folder / "dicom")
    return analysis, folder / "dicom"


def name_of(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def children(item: Dataset, value_type: str) -> list[Dataset]:
    return [one for one in item.get("ContentSequence", ()) if one.ValueType == value_type]


def groups_of(document: Dataset) -> list[Dataset]:
    (measurements,) = [one for one in document.ContentSequence if name_of(one) == "Imaging Measurements"]
    return list(measurements.ContentSequence)


@pytest.mark.medium
def test_every_coded_number_is_read_back_with_unit_phase_and_rule(exported: tuple[Analysis, Path]) -> None:
    analysis, folder = exported
    document = dcmread(folder / "sr.dcm")
    found = {}
    for number in (one for group in groups_of(document) for one in children(group, "NUM")):
        codes = {name_of(one): one.ConceptCodeSequence[0].CodeValue for one in children(number, "CODE")}
        (rule,) = children(number, "TEXT")
        value = number.MeasuredValueSequence[0]
        found[rule.TextValue] = (
            number.ConceptNameCodeSequence[0].CodeValue,
            float(value.NumericValue),
            value.MeasurementUnitsCodeSequence[0].CodeValue,
            codes.get("Finding Site"),
            codes.get("Cardiac Cycle Point"),
            codes.get("Measurement Method"),
        )
    coded = coded_measurements(analysis.measurements.measured)
    assert len(coded) > 60
    assert found == {
        one.explanation: (
            one.code.concept.value,
            one.value,
            one.unit.value,
            one.code.site.value,
            one.code.phase and one.code.phase.value,
            one.method and one.method.value,
        )
        for one in coded
    }
    edv = next(one for one in coded if one.measurement.name == "lv_edv_ml")
    assert "frames 0 (from 0)" in edv.explanation and "SCMR" in edv.explanation


@pytest.mark.medium
def test_volumes_refer_to_the_segment_and_images_of_their_frame(exported: tuple[Analysis, Path]) -> None:
    _, folder = exported
    segmentations = {one.SOPInstanceUID: one for one in map(dcmread, folder.glob("seg_sax_*.dcm"))}
    checked = 0
    for group in groups_of(dcmread(folder / "sr.dcm")):
        images = {name_of(one): one.ReferencedSOPSequence[0] for one in children(group, "IMAGE")}
        if "Referenced Segment" not in images:
            continue
        reference = images["Referenced Segment"]
        segmentation = segmentations[reference.ReferencedSOPInstanceUID]
        segment = segmentation.SegmentSequence[int(reference.ReferencedSegmentNumber) - 1]
        (tracking,) = children(group, "UIDREF")
        assert segment.TrackingUID == tracking.UID
        sources = {
            one.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
            for one in segmentation.PerFrameFunctionalGroupsSequence
        }
        assert images["Source Image for Segmentation"].ReferencedSOPInstanceUID in sources
        checked += 1
    assert checked == 6  # LV, RV and myocardium at ED and ES


@pytest.mark.medium
def test_flags_notice_and_state_are_said(exported: tuple[Analysis, Path]) -> None:
    analysis, folder = exported
    document = dcmread(folder / "sr.dcm")
    texts = [one.TextValue for group in groups_of(document) for one in children(group, "TEXT")]
    flags = analysis.measurements.flags
    assert flags and all(f"{flag.severity}: {flag.code}: {flag.message}" in texts for flag in flags)
    assert NOTICE in [one.TextValue for one in children(document, "TEXT")]
    assert (document.CompletionFlag, document.VerificationFlag) == ("PARTIAL", "UNVERIFIED")
    assert str(document.PatientName) == "Müller^Anna" and "InstitutionName" not in document


@pytest.mark.medium
def test_checkers_and_other_readers_accept_it(exported: tuple[Analysis, Path], tmp_path: Path) -> None:
    from highdicom.sr import srread

    analysis, folder = exported
    path = folder / "sr.dcm"
    groups = srread(path).content.get_volumetric_roi_measurement_groups(tracking_uid=None)
    assert len(groups) == 6
    assert validation_errors(path) == []
    assert "Left Ventricular ED Volume" in run_tool("dsrdump", path)
    run_tool("tid1500reader", "--inputDICOM", path, "--outputMetadata", tmp_path / "read.json")
    read = json.loads((tmp_path / "read.json").read_text())
    values = {
        float(item["value"])
        for group in read["Measurements"]
        for item in group["measurementItems"]
        if item["quantity"]["CodeValue"] == "8821-1"
    }
    edv = analysis.measurements.value("lv_edv_ml")
    assert edv is not None and float(f"{edv:.6g}") in values
