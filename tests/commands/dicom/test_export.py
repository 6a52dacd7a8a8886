"""`cinema export`: results of a study become DICOM and FHIR beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from interop_hearts import analysed, stack_cine, write_study
from scan_runs import call, scan, use_oracle

from cinema_cmr.interop import encapsulated_pdf
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.report.write import write_results

pytest.importorskip("highdicom")


@pytest.mark.medium
def test_results_are_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encapsulated_pdf, "find_browser", lambda: None)
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    analysis = analysed(study)
    write_results(replace(analysis, run=replace(analysis.run, input_sha256=input_digest(study))), tmp_path / "results")
    assert call("export", tmp_path / "results", "--study", study, "--dicom-phases", "all", "--json") == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    names = [one["name"] for one in document["files"]]
    assert len(names) == 10 and {"sr.dcm", "fhir.json", "seg_sax_007.dcm"} <= set(names)
    assert all((tmp_path / "results" / "dicom" / name).exists() for name in names)
    assert "no PDF of the report" in printed.err and "identifiers of the patient" in printed.err
    assert call("export", tmp_path / "results", "--study", study) == 3
    assert "pass --overwrite" in capsys.readouterr().err


@pytest.mark.medium
def test_an_analysis_exports_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(encapsulated_pdf, "find_browser", lambda: None)
    use_oracle(monkeypatch)
    options = ("--dicom", "--disease", "none", "--landmarks", "none")
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    assert call("analyse", study, "-o", tmp_path / "out", *options) == 0
    assert {"sr.dcm", "fhir.json"} <= {path.name for path in (tmp_path / "out" / "dicom").iterdir()}
    assert call("analyse", study, "-o", tmp_path / "out", "--overwrite", *options[1:]) == 0
    assert "out/dicom' still holds the objects of before" in capsys.readouterr().err
    assert call("analyse", scan(tmp_path), "-o", tmp_path / "nifti", *options) == 3
    assert (tmp_path / "nifti" / "report.html").exists()
