"""Tables and folders of datasets as they come: other tables about, odd cells, a missing file told by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, MissingFileError, UnreadableFileError
from cinema_cmr.datasets.listing import find_rows, index_by_name, parse_integer, require_path, text_facts, volume_facts


def test_rows_are_found_in_the_folder_above_it_and_one_below(tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    for place, name in (("", "above"), ("data", "in"), ("data/sub", "below")):
        (tmp_path / place / "t.csv").write_text(f" code ,x\n {name} , 1 \n", encoding="utf-8-sig")
    rows = find_rows(tmp_path / "data", needs=("code", "x"))
    assert sorted(row["code"] for row in rows) == ["above", "below", "in"] and rows[0]["x"] == "1"


def test_tables_of_others_are_left_alone_and_ours_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_bytes(b"caf\xe9,b\n1,2\n")
    assert find_rows(tmp_path, needs=("code",)) == []
    (tmp_path / "ours.csv").write_bytes(b"code\ncaf\xe9\n")
    with pytest.raises(UnreadableFileError, match=r"'ours\.csv' is not in UTF-8"):
        find_rows(tmp_path, needs=("code",))


def test_a_name_is_listed_once(tmp_path: Path) -> None:
    assert list(index_by_name([("b", tmp_path / "b"), ("a", tmp_path)], expected="x")) == ["a", "b"]
    with pytest.raises(InputError, match="'a' is present more than once"):
        index_by_name([("a", tmp_path), ("a", tmp_path / "copy")], expected="x")
    with pytest.raises(InputError, match=r"expected CODE\.nii"):
        index_by_name([], expected="CODE.nii")


def test_a_missing_file_is_named_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=rf"'scan\.nii' is missing; expected it in '.*/{tmp_path.name}'"):
        require_path(tmp_path / "scan.nii")


@pytest.mark.parametrize(
    ("text", "value"), [("9", 9), ("9.0", 9), ("9.5", None), ("", None), ("NaN", None), (None, None)]
)
def test_whole_numbers(text: str | None, value: int | None) -> None:
    assert parse_integer(text) == value


def test_empty_cells_are_no_facts() -> None:
    row = {"Sex": "F", "Vendor": "", "Pathology": "nan"}
    assert text_facts(row, {"sex": "Sex", "vendor": "Vendor", "group": "Pathology", "centre": "Centre"}) == {"sex": "F"}


@pytest.mark.parametrize(
    ("edv_ml", "esv_ml", "facts"),
    [
        (150.0, 60.0, {"lv_edv_ml": 150.0, "lv_esv_ml": 60.0, "lv_ef_percent": 60.0}),
        (150.0, None, {"lv_edv_ml": 150.0}),
        (0.0, 0.0, {"lv_edv_ml": 0.0, "lv_esv_ml": 0.0}),
        (None, None, {}),
    ],
)
def test_ejection_fraction_needs_both_volumes(
    edv_ml: float | None, esv_ml: float | None, facts: dict[str, float]
) -> None:
    assert volume_facts(edv_ml, esv_ml) == facts
