"""Tables of facts: numbers become numbers, nothing stays nothing, what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UnreadableFileError
from cinema_cmr.datasets.facts_table import fact_problem, read_facts, tables_without_names


def table(folder: Path, text: str, name: str = "facts.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_numbers_words_and_empty_cells(tmp_path: Path) -> None:
    text = "name,height_cm,weight_kg,sex,group,note\n007,180.5,,F,DCM,1e3\nb,,70,,NOR,\n"
    assert read_facts(table(tmp_path, text)) == {
        "007": {"height_cm": 180.5, "sex": "F", "group": "DCM", "note": 1000.0},
        "b": {"weight_kg": 70.0, "group": "NOR"},
    }


def test_a_mark_of_a_spreadsheet_at_the_start_is_no_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text("patient,group\r\na,X\r\n", encoding="utf-8-sig")
    assert read_facts(tmp_path) == {"a": {"group": "X"}}


@pytest.mark.parametrize("mark", [";", "\t"])
def test_tables_of_other_countries_and_stray_spaces(tmp_path: Path, mark: str) -> None:
    lines = [" name ,group", "a ,X", ",Y", "b,"]
    assert read_facts(table(tmp_path, "\n".join(lines).replace(",", mark))) == {"a": {"group": "X"}, "b": {}}


def test_no_table_and_tables_of_other_things_are_no_facts(tmp_path: Path) -> None:
    assert read_facts(tmp_path) == {}
    table(tmp_path, "step,loss\n1,2\n", "journal.csv")
    assert read_facts(tmp_path) == {}


def test_two_tables_and_two_rows_of_a_name_are_refused(tmp_path: Path) -> None:
    table(tmp_path, "name,group\na,X\na,Y\n")
    with pytest.raises(InputError, match="'a' twice"):
        read_facts(tmp_path)
    table(tmp_path, "case,group\na,X\n", "other.csv")
    with pytest.raises(InputError, match=r"facts.csv, other.csv"):
        read_facts(tmp_path)


@pytest.mark.parametrize("row", ["a,-3,F", "a,tall,F", "a,180,W"])
def test_invalid_facts_are_described(tmp_path: Path, row: str) -> None:
    facts = read_facts(table(tmp_path, f"name,height_cm,sex\n{row}\nb,180,M\n"))
    assert "expected" in str(fact_problem(facts["a"])) and fact_problem(facts["b"]) is None


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_bytes(b"name,x\n\xff\xfe\xff,3\n")
    with pytest.raises(UnreadableFileError, match=r"facts.csv"):
        read_facts(tmp_path)


def test_a_table_without_a_name_column_is_reported_and_an_empty_one_with_it_is_not(tmp_path: Path) -> None:
    table(tmp_path, "id,group\na,X\n", "people.csv")
    table(tmp_path, "name,group\n", "facts.csv")
    (told,) = tables_without_names(tmp_path)
    assert told.startswith("'people.csv' is not read") and "name, patient, case" in told
