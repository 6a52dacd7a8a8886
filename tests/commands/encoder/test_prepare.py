"""`cinema prepare` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oracles import cine_of, heart
from synthetic_dicom import written_stack
from trees import N_FRAMES, mnms2_tree

from cinema_cmr.cli import main
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.population import open_population
from cinema_cmr.io.nifti.image import write_cine


@pytest.mark.medium
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
    assert "0 prepared, 2 kept, 0 failed" in capsys.readouterr().out


@pytest.mark.medium
def test_a_dataset_is_prepared_by_its_name_with_the_whole_cycle_of_each_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = mnms2_tree(tmp_path / "raw").root
    for path in root.rglob("161_*_CINE.nii.gz"):
        path.unlink()
    words = ["prepare", f"mnms2:{root}", "-o", str(tmp_path / "store"), "--workers", "2"]
    assert main(words) == 3
    said = capsys.readouterr()
    assert "1 prepared, 0 kept, 1 failed" in said.out and "mnms2-161: '161' has no images" in said.err
    (study,) = open_population(tmp_path / "store")
    assert study.name == "mnms2-001" and study.cine(View.LAX_4C).n_frames == N_FRAMES
    assert main(words) == 3
    assert "0 prepared, 1 kept, 1 failed" in capsys.readouterr().out


def test_a_name_of_no_dataset_gets_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", f"mnms3:{tmp_path}", "-o", str(tmp_path / "store")]) == 2
    assert "did you mean 'mnms" in capsys.readouterr().err
