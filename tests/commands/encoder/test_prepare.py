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
def test_a_manifest_gives_names_and_facts_with_any_number_of_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        labels = heart((12.0, 9.0 + number), shape=(40, 38), centre=(24.0, 18.0))
        write_cine(cine_of(labels), tmp_path / f"{number}.nii.gz")
    table = tmp_path / "studies.csv"
    table.write_text("path,id,sex,age,site\n1.nii.gz,p-b,F,63,2\ngone.nii,p-c,,,1\n0.nii.gz,p-a,,,1\n")
    for workers in ("1", "2"):
        words = ["prepare", "--manifest", str(table), "-o", str(tmp_path / workers), "--workers", workers]
        assert main(words) == 3
        said = capsys.readouterr()
        assert "2 prepared, 0 kept, 1 failed" in said.out and "p-c:" in said.err
    for name in ("p-a.cine", "p-b.cine", "manifest.jsonl", "failed.jsonl"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    without, given = open_population(tmp_path / "1")
    assert (given.name, given.header.subject.sex, given.header.subject.age_years) == ("p-b", "F", 63.0)
    assert without.header.subject.sex is None
    table.write_text(table.read_text().replace(",63,", ",64,"))
    assert main(["prepare", "--manifest", str(table), "-o", str(tmp_path / "1")]) == 3
    assert "'p-b.cine' already exists, made from another input" in capsys.readouterr().err


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
