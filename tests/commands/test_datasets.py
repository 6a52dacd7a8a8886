"""`cinema datasets` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trees import mnms_tree, pickled_scan

from cinema_cmr.cli import main
from cinema_cmr.datasets.registry import DATASETS


def test_every_dataset_is_listed_with_its_licence_and_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    text = capsys.readouterr().out
    assert all(f"{name}: {dataset.card.title}" in text for name, dataset in DATASETS.items())
    assert main(["datasets", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["name"]: row["n_cases"] for row in rows}["mnms"] == 345
    assert all(row["licence"] and row["how_to_get"] for row in rows)


def test_a_check_lists_what_is_missing_and_broken_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = mnms_tree(tmp_path).root
    assert main(["datasets", "check", f"mnms:{root}", "--json"]) == 3
    *cases, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert {case["name"]: case["status"] for case in cases} == {"E9H1U4": "broken", "Z0Z0Z0": "missing"}
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


def test_pickles_are_converted_only_when_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    pickled_scan(raw / "test" / "scan_00_A")
    assert main(["datasets", "check", f"rescan:{raw}"]) == 3
    assert "cinema datasets convert rescan:ROOT -o OUT" in capsys.readouterr().out
    assert main(["datasets", "convert", f"rescan:{raw}", "-o", str(out)]) == 0
    assert "1 scans converted, 0 there before, 0 failed" in capsys.readouterr().out
    assert main(["datasets", "check", f"rescan:{out}"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "needs NAME:FOLDER"),
        (["check", "mnmz:."], "did you mean 'mnms'"),
        (["convert", "mnms:.", "-o", "x"], "knows rescan:FOLDER only"),
        (["convert", "rescan:."], "needs -o FOLDER"),
    ],
)
def test_words_that_are_off_are_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", *words]) == 2
    assert said in capsys.readouterr().err
