"""`cinema datasets` as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart
from trees import mnms_tree, pickled_scan

from cinema_cmr.cli import main
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.io.nifti.image import write_cine, write_mask


def test_every_dataset_is_listed_with_its_licence_and_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    text = capsys.readouterr().out
    assert all(f"{name}: {dataset.card.title}" in text for name, dataset in DATASETS.items())
    assert main(["datasets", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["name"]: row["n_cases"] for row in rows}["mnms"] == 345
    assert all(row["licence"] and row["how_to_get"] for row in rows)


@pytest.mark.medium
def test_a_check_lists_what_is_missing_and_broken_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = mnms_tree(tmp_path).root
    assert main(["datasets", "check", f"mnms:{root}", "--json"]) == 3
    *cases, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    statuses = {case["name"]: case["status"] for case in cases if case["status"] != "found"}
    assert statuses == {"E9H1U4": "broken", "Z0Z0Z0": "missing"}
    assert summary == {
        "dataset": "mnms",
        "expected": 345,
        "listed": 4,
        "found": 2,
        "missing": 1,
        "broken": 1,
        "parts": {"none": 1, "train": 1, "unlabelled": 1, "validation": 1},
    }
    assert main(["datasets", "check", f"mnms:{root / 'OpenDataset' / 'Training'}"]) == 3
    assert "of 345 expected" in capsys.readouterr().out


@pytest.mark.medium
def test_pickles_are_converted_only_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    pickled_scan(raw / "test" / "scan_00_A")
    assert main(["datasets", "check", f"rescan:{raw}"]) == 3
    assert "cinema datasets convert rescan:ROOT -o OUT" in capsys.readouterr().out
    assert main(["datasets", "convert", f"rescan:{raw}", "-o", str(out)]) == 0
    assert "1 scans converted, 0 kept, 0 failed" in capsys.readouterr().out
    assert main(["datasets", "check", f"rescan:{out}"]) == 0


@pytest.mark.medium
def test_nnunet_s_predictions_come_back_as_they_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab, raw, theirs = tmp_path / "lab", tmp_path / "nnUNet_raw" / "Dataset501_Lab", tmp_path / "predicted"
    for number, radius in enumerate((13.0, 14.0, 15.0, 16.0)):
        labels = heart((radius, radius - 3), n_slices=3)
        cine = cine_of(labels)
        write_cine(cine, lab / f"p{number}.nii.gz")
        write_mask(labels, cine, lab / f"p{number}_seg.nii.gz")
    assert main(["datasets", "export-nnunet", str(lab), "-o", str(raw)]) == 0
    said = capsys.readouterr().out
    assert "6 frames in train, 2 frames in validation" in said and "cinema evaluate --data" in said
    (fold,) = json.loads((raw / "splits_final.json").read_text())
    theirs.mkdir()
    for name in fold["val"]:
        shutil.copy(raw / "labelsTr" / f"{name}.nii.gz", theirs)
    (theirs / "plans.json").write_text("{}")
    words = ["evaluate", "--data", str(lab), "--split", str(raw / "split.json"), "--predictions", str(theirs)]
    assert main([*words, "-o", str(tmp_path / "e")]) == 0
    document = json.loads((tmp_path / "e" / "scores.json").read_text())
    (row,) = document["patients"]
    assert row["scores"]["dice_mean"] == 1 and document["n_patients"] == 1
    assert row["measured"]["lv_ef_percent"] == row["reference"]["lv_ef_percent"] > 0
    assert main([*words, "--part", "train"]) == 3  # their masks are of validation


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export-nnunet", "mnms:."], "expected -o nnUNet_raw/DatasetNNN_NAME"),
        (["check"], "expected NAME:FOLDER"),
        (["check", "mnmz:."], "did you mean 'mnms'"),
        (["convert", "mnms:.", "-o", "x"], "expected rescan:FOLDER"),
        (["convert", "rescan:."], "expected -o FOLDER"),
    ],
)
def test_invalid_arguments_are_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", *words]) == 2
    assert said in capsys.readouterr().err


def lab_folder(root: Path, *, lv: int = 1, myo: int = 2, rv: int = 3) -> Path:
    """Two studies of a lab with codes of its own."""
    for number, radius in enumerate((12.0, 11.0)):
        labels = heart((radius, radius - 3))
        cine = cine_of(labels)
        write_cine(cine, root / f"p{number}.nii.gz")
        write_mask(np.array([0, rv, myo, lv], np.uint8)[labels], cine, root / f"p{number}_seg.nii.gz")
    return root


def test_codes_are_stated_once_and_the_contents_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = lab_folder(tmp_path)
    assert main(["datasets", "check", str(root)]) == 3
    assert "probably --codes 1=lv 2=myo 3=rv" in capsys.readouterr().out
    assert main(["datasets", "check", str(root), "--codes", "1=lv", "2=myo", "3=rv"]) == 0
    out, err = capsys.readouterr()
    assert "check:" not in out + err  # a line of progress is not one to read every word of
    assert out.count("  sax frames 0, 1: rv ") == 2 and "2 found, 0 missing, 0 broken" in out
    assert main(["datasets", "check", str(root), "--codes", "1=lv", "2=myo", "3=rv", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    labels = heart((12.0, 9.0))
    voxel_ml = float(np.prod(cine_of(labels).spacing_mm)) / 1000
    expected = [voxel_ml * np.count_nonzero(labels[..., t] == 3) for t in (0, 1)]
    assert first["labels"][0]["volumes_ml"]["lv"] == pytest.approx(expected, rel=1e-5)


def test_codes_are_for_folders_and_agree_with_labels_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = lab_folder(tmp_path)
    (root / "labels.json").write_text('{"codes": {"1": "lv", "2": "myo", "3": "rv"}}')
    assert main(["datasets", "check", str(root), "--codes", "1=lv", "2=myo", "3=rv"]) == 0
    assert main(["datasets", "check", str(root), "--codes", "3=lv", "2=myo", "1=rv"]) == 2
    assert "expected one statement" in capsys.readouterr().err
    assert main(["datasets", "check", f"acdc:{root}", "--codes", "1=lv"]) != 0
