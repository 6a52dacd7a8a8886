"""Lists of inputs in the forms that people have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonargparse import Namespace

from cinema_cmr.commands.options.shared_options import listed_inputs, listed_studies, unused_columns
from cinema_cmr.core.errors import InputError, UsageError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.nii.gz\n\nb.nii.gz\n", ["a.nii.gz", "b.nii.gz"]),
        ("Doe, J/scan.nii.gz\n", ["Doe, J/scan.nii.gz"]),
        ("id,path\n1,a.nii.gz\n", ["a.nii.gz"]),
        ("id; Path\n1;a.nii.gz\n", ["a.nii.gz"]),
        ("PATH\tid\na.nii.gz\t1\n", ["a.nii.gz"]),
        ('path\n"x, y.nii.gz"\n', ["x, y.nii.gz"]),
    ],
)
def test_a_manifest_of_lines_or_a_table(tmp_path: Path, text: str, names: list[str]) -> None:
    (tmp_path / "list").write_text(text, encoding="utf-8")
    (tmp_path / names[-1]).parent.mkdir(exist_ok=True)
    (tmp_path / names[-1]).touch()
    found = listed_inputs(Namespace(inputs=["first"], manifest=str(tmp_path / "list")))
    assert found == [Path("first"), *(tmp_path / name for name in names)]


def test_no_input_is_refused() -> None:
    with pytest.raises(UsageError, match="no input given"):
        listed_inputs(Namespace(inputs=[], manifest=None))


def test_a_file_that_lists_nothing_is_refused_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n" + "x" * 5000 + "\n")
    with pytest.raises(InputError, match="none of the 2 paths in manifest 'passwd' exists") as error:
        listed_inputs(Namespace(inputs=[], manifest=str(tmp_path / "passwd")))
    assert "root" not in str(error.value) and "xx" not in str(error.value)


def test_a_manifest_of_a_population_may_be_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"path": ["a.nii.gz", "b"], "sex": ["F", None]}), tmp_path / "studies.parquet")
    (tmp_path / "b").touch()
    found = listed_inputs(Namespace(inputs=[], manifest=str(tmp_path / "studies.parquet")))
    assert found == [tmp_path / "a.nii.gz", tmp_path / "b"]


def test_columns_that_are_not_used_are_named_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,ward,name,,a,b,c,d,e\n.,B,x\n")
    listed = listed_studies(Namespace(inputs=["first"], manifest=str(tmp_path / "list.csv")))
    assert [row.name for row in listed.rows] == [None, "x"]
    sentence = "manifest 'list.csv': columns not used: ward, (empty), a, b, c, d and 1 more; used are path, id or name"
    assert unused_columns(listed).startswith(sentence)
