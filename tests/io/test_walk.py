"""Linked folders are part of what lies below a folder; no ring of links is walked twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from synthetic_dicom import written_stack

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.read import input_files, read_study
from cinema_cmr.io.walk import paths_below, special_files_below


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def names(root: Path, pattern: str = "*") -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths_below(root, pattern)]


def test_links_are_followed_and_every_folder_is_visited_once(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for path in (root / "real" / "a.nii", elsewhere / "deep" / "b.nii"):
        touched(path)
    (root / "linked").symlink_to(elsewhere)
    (root / "also real").symlink_to(root / "real")
    (elsewhere / "ring").symlink_to(root)
    (elsewhere / "up").symlink_to(tmp_path)
    (root / "gone").symlink_to(tmp_path / "nowhere")
    assert names(root, "*.nii") == ["linked/deep/b.nii", "real/a.nii"]
    assert names(root, "deep") == ["linked/deep"]
    assert names(tmp_path / "nowhere") == []


def test_a_linked_root_is_walked(tmp_path: Path) -> None:
    touched(tmp_path / "a" / "b.nii")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert names(tmp_path / "link") == ["b.nii"]


def test_a_study_of_linked_series_is_read_whole(tmp_path: Path) -> None:
    written_stack(tmp_path / "disk", n=3)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "series").symlink_to(tmp_path / "disk")
    assert read_study(tmp_path / "study").cine(View.SAX).n_slices == 3
    assert len(input_files(tmp_path / "study")) == 36


def test_pipes_devices_and_links_to_them_are_left_out_and_listed(tmp_path: Path) -> None:
    touched(tmp_path / "a" / "b.nii")
    os.mkfifo(tmp_path / "a" / "pipe.nii")
    (tmp_path / "zero.nii").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    assert names(tmp_path, "*.nii") == ["a/b.nii"]
    assert [path.name for path in special_files_below(tmp_path)] == ["pipe.nii", "zero.nii"]


@pytest.mark.parametrize(("name", "refused"), [("series", True), ("lost+found", False), (".Trash", False)])
def test_a_folder_that_may_not_be_read_is_refused(
    name: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    touched(tmp_path / "b.nii")
    scan = os.scandir

    def closed(path: str) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)  # root may read everything
    if refused:
        with pytest.raises(UnreadableFileError, match=r"'series' may not be read \(Permission denied"):
            names(tmp_path)
    else:
        assert names(tmp_path, "*.nii") == ["b.nii"]
