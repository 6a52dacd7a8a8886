"""`cinema prepare` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oracles import cine_of, heart
from synthetic_dicom import written_stack

from cinema_cmr.cli import main
from cinema_cmr.data.population import open_population
from cinema_cmr.io.nifti import write_cine


def test_dicom_and_nifti_become_one_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written_stack(tmp_path / "dicom")
    write_cine(cine_of(heart((12.0, 9.0), shape=(40, 38), centre=(24.0, 18.0))), tmp_path / "scan.nii.gz")
    (tmp_path / "bad.nii").write_bytes(b"no image")
    words = ["prepare", *(str(tmp_path / name) for name in ("dicom", "scan.nii.gz", "bad.nii"))]
    assert main([*words, "-o", str(tmp_path / "store"), "--json"]) == 3
    said = capsys.readouterr()
    assert json.loads(said.out)["done"] == 2 and json.loads(said.out)["failed"] == 1
    assert "bad:" in said.err
    assert [study.name for study in open_population(tmp_path / "store")] == ["dicom", "scan"]
    assert main([*words[:3], "-o", str(tmp_path / "store")]) == 0
    assert "0 prepared, 2 there before, 0 failed" in capsys.readouterr().out
