"""The documents name what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cinema_cmr.commands.weights import ACTIONS

ROOT = Path(__file__).parents[1]
INPUTS = ROOT / "docs" / "inputs.md"


def rows() -> list[list[str]]:
    """The cells of each row of the tables of inputs.md, without the heads."""
    lines = [line for line in INPUTS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "the study"]


def test_every_test_that_the_table_of_inputs_names_exists() -> None:
    named = set(re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)(?:::(\w+))?`", INPUTS.read_text(encoding="utf-8")))
    assert len(named) > 20
    missing = [path for path, _ in named if not (ROOT / path).exists()]
    missing += [f"{path}::{name}" for path, name in named if name and f"def {name}(" not in (ROOT / path).read_text()]
    assert not missing


def test_the_limit_of_low_confidence_is_that_of_the_card() -> None:
    card = json.loads((ROOT / "src/cinema_cmr/weights/cinema-sax/card.json").read_text(encoding="utf-8"))
    for name in ("results.md", "weights.md"):
        (row,) = [
            line for line in (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines() if "others 0.8" in line
        ]
        assert f"`cinema-sax` {card['least_confidence']:g}" in row, name


def test_the_first_table_of_the_readme_has_the_numbers_of_the_other_pages() -> None:
    readme, quality, compare, study = (
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("README.md", "docs/quality.md", "docs/compare.md", "docs/study.md")
    )
    rows = re.findall(r"^\| (?:mean Dice|LVEF|RVEF)[^|]*\| ([^|]+) \|", readme, flags=re.M)
    assert len(rows) == 3 and all(number in quality for number in rows)
    assert rows[0] in compare and rows[0].rstrip(")") in study
    choices = re.compile(r"\b(\w+) choices were made", flags=re.I)
    assert {choices.search(page)[1].lower() for page in (readme, quality, study)} == {"six"}  # type: ignore[index]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_every_row_of_the_inputs_has_a_test(row: list[str]) -> None:
    assert len(row) == 4 and re.search(r"`(tests|benchmarks)/", row[3])


def test_every_flag_of_the_inputs_is_raised_somewhere() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    codes = {code for row in rows() for code in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", row[2])}
    assert len(codes) > 15
    unknown = [c for c in codes if f'"{c}"' not in source and f'{{name}}-{c.partition("-")[2]}"' not in source]
    assert not unknown


def test_every_action_on_weights_that_a_page_names_exists() -> None:
    """A page named `cinema weights show` before there was one."""
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    named = {
        (page.name, action)
        for page in pages
        for action in re.findall(r"cinema weights ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert {action for _, action in named} <= set(ACTIONS), named
