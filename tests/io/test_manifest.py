"""The table of the studies of a call: CSV and Parquet mean the same; what cannot be is refused with its row."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.study import Fact, Subject
from cinema_cmr.io.manifest import Manifest, ManifestRow, read_manifest, study_names

Table = dict[str, list[Fact]]
Write = Callable[[Table], Path]

HEADS = ("path", "ID", "Sex", "Age", "height_cm", "Weight", "Heart rate", "ED-frame", "es_frame", "Site Id", "ward")
ROWS: tuple[tuple[Fact, ...], ...] = (
    ("a.nii", "p/1", "female", 41, 170.5, "60,5", 70, 0, 9, 4, "B"),
    ("b.nii", "p2", "m", None, None, None, None, None, 3, None, None),
    (None,) * 11,
)


def table(*rows: tuple[Fact, ...], heads: tuple[str, ...] = HEADS) -> Table:
    return {head: [row[place] for row in rows] for place, head in enumerate(heads)}


@pytest.fixture(params=["csv", "semicolons", "parquet"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    (tmp_path / "a.nii").touch()  # a list none of whose paths exists is refused

    def csv_file(columns: Table) -> Path:
        path, delimiter = tmp_path / "studies.csv", ";" if request.param == "semicolons" else ","
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerows([columns.keys(), *zip(*columns.values(), strict=True)])
        return path

    def parquet_file(columns: Table) -> Path:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({name: arrow.array(cells) for name, cells in columns.items()}), path)
        return path

    path = tmp_path / "studies.parquet"
    return parquet_file if request.param == "parquet" else csv_file


def test_one_table_in_every_form_is_one_manifest(write: Write, tmp_path: Path) -> None:
    assert read_manifest(write(table(*ROWS))) == Manifest(
        file=write(table(*ROWS)).name,
        others=("site_id", "ward"),
        rows=(
            ManifestRow(
                path=tmp_path / "a.nii",
                name="p_1",
                subject=Subject(sex="F", age_years=41, height_cm=170.5, weight_kg=60.5, heart_rate_bpm=70),
                ed_frame=0,
                es_frame=9,
                facts={"site_id": 4, "ward": "B"},
            ),
            ManifestRow(path=tmp_path / "b.nii", name="p2", subject=Subject(sex="M"), es_frame=3),
        ),
    )


def test_kinds_of_facts_are_kept(write: Write) -> None:
    facts = {"flag": "no", "dose": 2.5, "code": "007", "big": "1" * 20, "n": 12, "note": "1_000", "word": "B, C"}
    rows = read_manifest(write(table(("a.nii", *facts.values()), heads=("path", *facts)))).rows
    assert rows[0].facts == facts
    assert {name: type(value) for name, value in rows[0].facts.items()} == {k: type(v) for k, v in facts.items()}


@pytest.mark.parametrize(
    ("heads", "row", "message"),
    [
        (("path", "age"), ("a.nii", "old"), "age is 'old'; expected a number above 0"),
        (("path", "height"), ("a.nii", -3.0), "height is '-3.0'"),
        (("path", "height"), ("a.nii", 1750), "height is '1750'"),
        (("path", "weight"), ("a.nii", "1e9"), "weight is '1e9'"),
        (("path", "sex"), ("a.nii", "x"), "sex is 'x'; expected F, M or nothing"),
        (("path", "es_frame"), ("a.nii", 8.5), "es_frame is '8.5'; expected a whole number from 0"),
        (("path", "es_frame"), ("a.nii", -1), "es_frame is '-1'"),
        (("path", "ed_frame", "es_frame"), ("a.nii", 4, 4), "frame 4 is ED and ES"),
        (("path", "name"), ("a.nii", "../up"), "name cannot be the name of a folder"),
        (("path", "id"), ("a.nii", ".."), "id cannot be the name of a folder"),
        (("path", "id", "age"), ("a.nii", None, 3), "is without id"),
        (("path", "age"), (None, 3), "has no path"),
        (("path", "age", "age_years"), ("a.nii", 1, 2), "two columns for 'age_years'"),
        (("path", "heart rate", "heart-rate"), ("a.nii", 1, 2), "two columns for 'heart_rate_bpm'"),
        (("path", "sex"), ("none.nii", "F"), "none of the 1 paths in manifest"),
    ],
)
def test_what_cannot_be_is_refused(write: Write, heads: tuple[str, ...], row: tuple[Fact, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_manifest(write(table(row, heads=heads)))


def test_names_differ_when_case_is_ignored(write: Write) -> None:
    with pytest.raises(InputError, match="the name 'p1' twice"):
        read_manifest(write(table(("a.nii", "p1"), ("b.nii", "P1"), heads=("path", "name"))))


def test_the_row_of_a_fault_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,sex\na,F\nb,x\n")
    with pytest.raises(InputError, match=r"manifest 'list\.csv', row 3: sex"):
        read_manifest(tmp_path / "list.csv")


def test_names_of_the_manifest_come_first_and_empty_ones_are_those_of_the_paths(write: Write) -> None:
    rows = read_manifest(write(table(("a/sax.nii.gz", "p7"), ("a.nii", None), heads=("path", "name")))).rows
    assert [row.name for row in rows] == ["p7", None] and study_names(rows) == ["p7", "a"]
    both = read_manifest(write(table(("a.nii", 7, "who"), heads=("path", "id", "name")))).rows
    assert (both[0].name, both[0].facts) == ("7", {"name": "who"})


def test_each_study_has_a_name_of_its_own() -> None:
    rows = [ManifestRow(path=Path("a/sax.nii.gz"), name="p7"), ManifestRow(path=Path("b/sax.nii.gz"))]
    assert study_names(rows) == ["p7", "b"] and study_names(rows[:1]) == ["p7"]
    twice = [ManifestRow(path=Path("a"), name="one"), ManifestRow(path=Path("a"), name="two")]
    assert study_names(twice) == ["one", "two"], "as of other frames"
    with pytest.raises(UsageError, match="two studies are named 'b'"):
        study_names([ManifestRow(path=Path("a/sax.nii.gz"), name="B"), ManifestRow(path=Path("b.nii.gz"))])
    with pytest.raises(UsageError, match="'b' is given twice"):
        study_names([ManifestRow(path=Path("a")), ManifestRow(path=Path("b")), ManifestRow(path=Path("b"))])
