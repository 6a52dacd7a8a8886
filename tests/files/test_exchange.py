"""Old results or new, whole, wherever it is interrupted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from dead_process import DEAD, name_of

from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.files import exchange
from cinema_cmr.files.exchange import draft_folder, finish_commits, put_in_place


def fill(folder: Path, text: str, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def replace_results(folder: Path, *, replaced: tuple[str, ...] = ()) -> None:
    with draft_folder(folder) as draft:
        fill(draft, "new", "report.html", "masks/sax.nii", "run.json")
        put_in_place(draft, folder, last="run.json", replaced=replaced)


NEW = {"report.html": "new", "masks/sax.nii": "new", "run.json": "new"}


@pytest.mark.parametrize("can_exchange", [True, False])
def test_results_are_replaced_and_files_of_others_stay(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(exchange, "_exchange", lambda one, other: False)
    folder = tmp_path / "out"
    fill(folder, "old", "report.html", "masks/sax.nii", "masks/lax.nii", "run.json")
    fill(folder, "mine", "notes.txt", "masks/mine.txt")
    replace_results(folder, replaced=("masks/lax.nii", "run.json"))
    assert contents(folder) == {**NEW, "notes.txt": "mine", "masks/mine.txt": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_folder_changes_places_in_one_step(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "report.html", "masks/sax.nii", "run.json")
    before = folder.stat().st_ino
    replace_results(folder)
    assert folder.stat().st_ino != before


@pytest.mark.parametrize("kind", ["current", "with folders", "linked"])
def test_a_folder_that_has_to_stay_stays(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "report.html", "run.json")
    extra = {}
    given = folder
    if kind == "current":
        monkeypatch.chdir(folder)
        given = Path(".")
    if kind == "with folders":
        fill(folder, "mine", "other/study/run.json")
        extra = {"other/study/run.json": "mine"}
    if kind == "linked":
        given = tmp_path / "link"
        given.symlink_to("out")
    before = folder.stat().st_ino
    replace_results(given)
    assert contents(folder) == {**NEW, **extra}
    assert folder.stat().st_ino == before or kind == "linked"


@pytest.mark.parametrize("moved", range(4))
def test_what_was_committed_before_a_kill_is_finished_by_the_next_call(moved: int, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "report.html", "masks/sax.nii", "run.json")
    committed = folder / name_of(DEAD, rest=".commit.run.json")
    fill(committed, "new", *NEW)
    for name in ("masks/sax.nii", "report.html", "run.json")[:moved]:
        os.replace(committed / name, folder / name)
    finish_commits(folder)
    assert contents(folder) == NEW and not committed.exists()


def test_a_failure_leaves_the_old(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "run.json")
    with pytest.raises(RuntimeError), draft_folder(folder) as draft:
        fill(draft, "new", "run.json")
        raise RuntimeError
    assert contents(tmp_path) == {"out/run.json": "old"}


def test_a_link_on_the_way_is_refused_and_nothing_is_written_through_it(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "run.json")
    fill(tmp_path / "elsewhere", "theirs", "sax.nii")
    (folder / "masks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputExistsError, match="'out/masks' is a link"):
        replace_results(folder)
    assert contents(tmp_path / "elsewhere") == {"sax.nii": "theirs"}
    assert (folder / "run.json").read_text() == "old"


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "run.json")
    fill(tmp_path, "theirs", "target")
    (folder / "report.html").symlink_to(tmp_path / "target")
    replace_results(folder)
    assert (tmp_path / "target").read_text() == "theirs" and contents(folder) == NEW


def test_a_file_of_others_that_cannot_be_linked_keeps_the_folder_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    fill(folder, "old", "run.json")
    fill(folder, "mine", "notes.txt")

    def refuse(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    replace_results(folder)
    assert contents(folder) == {**NEW, "notes.txt": "mine"}
    shutil.rmtree(folder)
