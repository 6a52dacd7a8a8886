"""Studies of a population: of a manifest and of the command line, each name once, in shards."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonargparse import Namespace

from cinema_cmr.commands.options.shared_options import listed_inputs
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Subject
from cinema_cmr.population.listed_studies import list_studies, parse_shard, shard_of


def manifest(folder: Path, text: str) -> Path:
    (folder / "a").touch()
    path = folder / "studies.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_studies_with_subject_frames_and_facts(tmp_path: Path) -> None:
    text = "id,path,Sex,age,es_frame,group,site id\n7,a,female,63,9,DCM,\n1/2,b/scan,,,,NOR,4\n"
    one, two = list_studies([], manifest(tmp_path, text))
    assert (one.name, one.path, one.subject) == ("7", tmp_path / "a", Subject(sex="F", age_years=63))
    assert one.facts == {"sex": "F", "age_years": 63.0, "group": "DCM"}
    assert (one.ed_frame, one.es_frame, two.es_frame) == (None, 9, None)
    assert (two.name, two.facts) == ("1_2", {"group": "NOR", "site_id": 4})


def test_a_list_of_paths_is_a_manifest_and_inputs_are_added(tmp_path: Path) -> None:
    listed = list_studies([Path("c/z")], manifest(tmp_path, "p1/scan.nii.gz\np2/scan.nii.gz\na\n"))
    assert [study.name for study in listed] == ["z", "p1", "p2", "a"]
    given = Namespace(inputs=["c/z"], manifest=str(tmp_path / "studies.csv"))
    inputs = [path.absolute() for path in listed_inputs(given)]
    assert [study.path for study in listed] == inputs, "in the order of every other command, for any working folder"
    with pytest.raises(UsageError, match="two studies are named 'z'"):
        list_studies([Path("c/z")], manifest(tmp_path, "path,id\na,Z\n"))
    with pytest.raises(UsageError, match="no input given"):
        list_studies([])


def test_shards_part_the_studies(tmp_path: Path) -> None:
    listed = list_studies([Path(f"s{n}") for n in range(7)])
    parts = [shard_of(listed, (number, 3)) for number in (1, 2, 3)]
    assert sorted(study.name for part in parts for study in part) == sorted(study.name for study in listed)
    assert [len(part) for part in parts] == [3, 2, 2]
    for wrong in ("0/3", "4/3", "x", "1/"):
        with pytest.raises(UsageError, match="expected i/n"):
            parse_shard(wrong)
