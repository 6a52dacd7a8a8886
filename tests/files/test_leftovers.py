"""What killed processes left goes, and nothing else."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from dead_process import DEAD, name_of

from cinema_cmr.files.leftovers import committed_files, is_abandoned, remove_leftovers, temporary_folder, temporary_name


def test_leftovers_of_the_dead_go_and_all_else_stays(tmp_path: Path) -> None:
    for name in (name_of(DEAD), name_of(DEAD, rest=".nii.gz"), name_of(DEAD).removeprefix(".")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image").write_text("of a patient")
    (tmp_path / name_of(DEAD, rest=".json")).write_text("half")
    kept = [
        temporary_name(".pt"),
        name_of(DEAD, host="0" * 12),
        name_of(DEAD, rest=".commit.run.json"),
        ".cinema-lock",
        "cinema-results",
    ]
    for name in kept:
        (tmp_path / name).write_text("x")
    assert remove_leftovers(tmp_path) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_those_of_another_machine_go_after_a_week(tmp_path: Path) -> None:
    path = tmp_path / name_of(1, host="0" * 12)
    path.write_text("x")
    assert not is_abandoned(path)
    os.utime(path, (time.time() - 8 * 24 * 3600,) * 2)
    assert remove_leftovers(tmp_path) == 1


def test_a_link_with_such_a_name_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    (tmp_path / name_of(DEAD)).symlink_to("mine")
    assert remove_leftovers(tmp_path) == 1
    assert (tmp_path / "mine" / "file").exists()


def test_a_missing_folder_has_none(tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "none") == 0


def test_a_temporary_folder_is_private_goes_at_the_end_and_takes_leftovers_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / name_of(DEAD).removeprefix(".")
    left.mkdir()
    with temporary_folder() as folder:
        assert folder.parent == tmp_path and not left.exists()
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "image").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_committed_folder_tells_its_last_file() -> None:
    assert committed_files(temporary_name(committed="run.json")) == "run.json"
    assert committed_files(temporary_name(committed="")) == ""
    assert committed_files(temporary_name(".nii.gz")) is committed_files("results") is None
