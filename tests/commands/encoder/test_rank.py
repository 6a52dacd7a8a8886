"""`cinema rank`: an order on stdout and in a table, and an exit code for what cannot be judged."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from oracles import cine_of, heart

from cinema_cmr.cli import main
from cinema_cmr.io.nifti.image import write_cine


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("studies")
    paths = [folder / f"p{number}_sax.nii.gz" for number in range(3)]
    for number, path in enumerate(paths):
        write_cine(cine_of(heart((12.0 + 4 * number, 9.0), n_slices=4)), path)
    return [str(path) for path in paths]


@pytest.mark.medium
def test_the_order_is_printed_and_written(
    studies: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "order.csv"
    assert main(["rank", *studies, "--model", "none", "-o", str(table), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert main(["rank", studies[0], "--model", "none", "-o", str(table), "--overwrite"]) == 0
    assert capsys.readouterr().out.endswith(f"\ntable: {table}\n")
    assert [row["name"] for row in rows] == [one["name"] for one in document["studies"]] and len(rows) == 3
    assert [row["rank"] for row in rows] == ["1", "2", "3"] and document["failed"] == 0
    assert main(["rank", *studies, "--model", "none", "-o", str(table)]) == 3
    assert main(["rank", *studies[1:], "--labelled", studies[0], "--model", "none", "-n", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "label next:"


def test_what_cannot_be_judged_has_its_exit_code(
    studies: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken_sax.nii.gz"
    broken.write_bytes(b"no image")
    assert main(["rank", str(broken), studies[0], "--model", "none"]) == 3
    told = capsys.readouterr()
    assert "broken_sax" in told.err and "p0_sax" in told.out
    assert main(["rank", studies[0], "-n", "0"]) == 2 and main(["rank"]) == 2
