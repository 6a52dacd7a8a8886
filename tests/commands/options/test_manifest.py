"""The table of --manifest: columns in any spelling, values that cannot be are refused with their row, others stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.commands.options.manifest import ManifestRow, read_manifest
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Subject


def read(folder: Path, text: str) -> tuple[tuple[ManifestRow, ...], tuple[str, ...]]:
    (folder / "list.csv").write_text(text, encoding="utf-8")
    (folder / "a.nii").touch()  # a list none of whose paths exists is refused
    manifest = read_manifest(folder / "list.csv")
    return manifest.rows, manifest.remarks


def test_all_columns_in_their_spellings(tmp_path: Path) -> None:
    head = "Path;Name;Sex;Age;height_cm;Weight;Heart rate;ED-frame;es_frame;ward"
    (row,), remarks = read(tmp_path, f"{head}\na.nii;p1;female;41;1,7e2;60,5;70;0;9;B\n")
    subject = Subject(sex="F", age_years=41, height_cm=170, weight_kg=60.5, heart_rate_bpm=70)
    assert row == ManifestRow(path=tmp_path / "a.nii", name="p1", subject=subject, ed_frame=0, es_frame=9)
    assert remarks[0].startswith("manifest 'list.csv': columns not used: ward; used are path, name, sex")


def test_empty_cells_are_unknown_and_lines_without_a_table_are_paths(tmp_path: Path) -> None:
    rows, remarks = read(tmp_path, "path,sex,age,name\na.nii,,,\nb.nii,m,,\n,F,3,\n")
    assert [row.subject for row in rows] == [Subject(), Subject(sex="M")] and not remarks
    assert [row.name for row in rows] == [None, None]
    rows, _ = read(tmp_path, "a.nii\nDoe, J/b.nii\n")
    assert [row.path.name for row in rows] == ["a.nii", "b.nii"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,age\na,old\n", "row 2: age is 'old'; expected a number above 0"),
        ("path,height\na,-3\n", "row 2: height is '-3'"),
        ("path,weight\na,1e9\n", "row 2: weight is '1e9'"),
        ("path,sex\na,x\n", "row 2: sex is 'x'; expected F, M or nothing"),
        ("path,es_frame\na,8.5\n", "row 2: es_frame is '8.5'; expected a whole number from 0"),
        ("path,ed_frame,es_frame\na,1,2\nb,4,4\n", "row 3: frame 4 is ED and ES"),
        ("path,name\na,../up\n", "row 2: the name cannot be that of a folder"),
        ("path,name\na,p1\nb,P1\n", "the name 'p1' twice"),
        ("path,age,age_years\na,1,2\n", "two columns for 'age_years'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)
