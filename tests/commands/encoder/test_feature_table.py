"""A table holds the numbers that it was given."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.commands.encoder import feature_table
from cinema_cmr.commands.encoder.feature_table import check_table, write_table
from cinema_cmr.core.errors import OutputExistsError, UsageError
from cinema_cmr.inference.features import FeatureRow

ROWS = [
    FeatureRow(study="a", frame=3, tokens="cls", values=np.array([0.25, -1.5e-7], np.float32)),
    FeatureRow(study="b", frame=None, tokens="sax", values=np.array([1e9, 1 / 3], np.float32)),
]


def test_csv_brings_every_number_back(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(ROWS, path)
    with path.open() as file:
        read = list(csv.DictReader(file))
    assert [(row["study"], row["frame"], row["tokens"]) for row in read] == [("a", "3", "cls"), ("b", "", "sax")]
    for row, given in zip(read, ROWS, strict=True):
        assert np.allclose([float(row["f0"]), float(row["f1"])], given.values, rtol=1e-6, atol=0)
    with pytest.raises(OutputExistsError):
        write_table(ROWS, path)
    write_table(ROWS[:1], path, overwrite=True)
    assert len(path.read_text().splitlines()) == 2


def test_cells_of_a_shorter_row_stay_empty(tmp_path: Path) -> None:
    short = FeatureRow(study="a", frame=3, tokens="sax/structures", values=np.array([4.5], np.float32))
    write_table([short, *ROWS], tmp_path / "t.csv")
    first, *others = (tmp_path / "t.csv").read_text().splitlines()[1:]
    assert first == "a,3,sax/structures,4.5," and len(others) == 2


def test_parquet_without_its_library_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(feature_table, "import_module", missing)
    with pytest.raises(UsageError, match=r"needs pyarrow.*ends in \.csv"):
        check_table(tmp_path / "t.parquet")
    with pytest.raises(UsageError, match=r"ends in \.csv or \.parquet"):
        check_table(tmp_path / "t.xlsx")


def test_parquet_with_its_library(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_table(ROWS, tmp_path / "t.parquet")
    read = importlib.import_module("pyarrow.parquet").read_table(tmp_path / "t.parquet").to_pydict()
    assert read["frame"] == [3, None] and read["f1"] == [float(row.values[1]) for row in ROWS]
    short = FeatureRow(study="a", frame=3, tokens="sax/structures", values=np.array([4.5], np.float32))
    write_table([short, *ROWS], tmp_path / "u.parquet")
    assert importlib.import_module("pyarrow.parquet").read_table(tmp_path / "u.parquet").to_pydict()["f1"][0] is None
