"""`cinema deidentify`: what was written and left out is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from interop_hearts import set_elements, stack_cine, write_study
from scan_runs import call

from cinema_cmr.io.dicom.writing.series import DicomShape


def test_a_study_is_deidentified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study", stack_cine([0, 10]), shape=DicomShape.ENHANCED)
    set_elements(study, BurnedInAnnotation="YES", PatientName="Secret^Person")
    assert call("deidentify", study, "-o", tmp_path / "out", "--json") == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["images"] == 1 and document["warnings"] and "burnt into" in printed.err
    assert b"Secret" not in next((tmp_path / "out").rglob("*.dcm")).read_bytes()
    assert call("deidentify", study, "-o", tmp_path / "out") == 3
