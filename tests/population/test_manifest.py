"""Manifests: paths, identifiers and facts, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.study import Subject
from cinema_cmr.population.manifest import list_studies, parse_shard, read_manifest, shard_of

TABLE = "id,path,Sex,age,group,site id\n7,a/scan,female,63,DCM,\n1/2,b/scan,,,NOR,4\n"


def manifest(folder: Path, text: str = TABLE) -> Path:
    path = folder / "studies.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_become_paths_names_subjects_and_facts(tmp_path: Path) -> None:
    one, two = read_manifest(manifest(tmp_path))
    assert (one.name, one.path) == ("7", tmp_path / "a" / "scan")
    assert one.subject == Subject(sex="F", age_years=63)
    assert one.facts == {"sex": "F", "age_years": 63.0, "group": "DCM"}
    assert (two.name, two.facts) == ("1_2", {"group": "NOR", "site_id": 4})


@pytest.mark.medium
def test_parquet_says_the_same(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {"path": ["a/scan", "b/scan"], "id": ["x", "y"], "age": [63.0, float("nan")], "sex": ["M", None]}
    parquet.write_table(arrow.table(table), tmp_path / "studies.parquet")
    one, two = read_manifest(tmp_path / "studies.parquet")
    assert (one.name, one.subject) == ("x", Subject(sex="M", age_years=63))
    assert two.facts == {}


def test_a_list_of_paths_is_a_manifest_and_inputs_are_added(tmp_path: Path) -> None:
    listed = list_studies([Path("c/z")], manifest(tmp_path, "p1/scan.nii.gz\np2/scan.nii.gz\n"))
    assert [study.name for study in listed] == ["p1", "p2", "z"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("id,path\n1,a\n1,b\n", "listed twice"),
        ("id,path\n1,a\n,b\n", "without id"),
        ("id,path\n1,\n", "no path"),
        ("path,sex\na,x\n", "sex 'x'"),
        ("path,age\na,old\n", "age_years 'old'"),
        ("id,path\n..,a\n", "no name"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises((InputError, UsageError), match=error):
        list_studies([], manifest(tmp_path, text))


def test_shards_part_the_studies(tmp_path: Path) -> None:
    listed = list_studies([Path(f"s{n}") for n in range(7)])
    parts = [shard_of(listed, (number, 3)) for number in (1, 2, 3)]
    assert sorted(study.name for part in parts for study in part) == sorted(study.name for study in listed)
    assert [len(part) for part in parts] == [3, 2, 2]
    for wrong in ("0/3", "4/3", "x", "1/"):
        with pytest.raises(UsageError, match="expected i/n"):
            parse_shard(wrong)
