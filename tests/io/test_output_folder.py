"""A folder appears whole or not at all, and an old one goes only when the new one is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, OutputExistsError
from cinema_cmr.io.output_folder import atomic_folder, check_new_files


def test_a_folder_takes_its_name_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    with atomic_folder(target) as draft:
        (draft / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


def test_a_failure_leaves_nothing_new_and_keeps_the_old(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(RuntimeError, match="half way"), atomic_folder(target, overwrite=True) as draft:
        (draft / "new").write_text("new")
        raise RuntimeError("half way")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


def test_overwriting_leaves_only_the_new(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for name in ("one", "two"):
        with atomic_folder(target, overwrite=True) as draft:
            (draft / name).write_text(name)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "two"]


def test_an_empty_folder_is_free_and_a_filled_one_or_a_file_is_not(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with atomic_folder(target) as draft:
        (draft / "one").write_text("one")
    with pytest.raises(OutputExistsError, match="'folder' already exists"), atomic_folder(target):
        pass
    with pytest.raises(OutputExistsError, match="is a file"), atomic_folder(target / "one", overwrite=True):
        pass
    assert (target / "one").read_text() == "one"


def test_a_folder_filled_meanwhile_by_another_run_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with pytest.raises(OutputExistsError), atomic_folder(target):
        target.mkdir()
        (target / "theirs").write_text("theirs")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "theirs"]


def test_existing_files_are_reported_before_the_work(tmp_path: Path) -> None:
    check_new_files(tmp_path / "new", ["a", "b"])
    (tmp_path / "b").write_text("old")
    with pytest.raises(OutputExistsError, match="'b' already exists"):
        check_new_files(tmp_path, ["a", "b"])
    check_new_files(tmp_path, ["a", "b"], overwrite=True)
    with pytest.raises(InputError, match="'b' is a file"):
        check_new_files(tmp_path / "b" / "x", ["a"])
