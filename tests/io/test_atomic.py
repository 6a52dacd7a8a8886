"""What is written is whole, or is not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cinema_cmr.core.errors import OutputExistsError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.atomic import atomic_path, write_bytes, write_json, write_text


def test_bytes_and_text_arrive_as_they_are(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.bin", b"\x00\r\n\xff")
    write_text(tmp_path / "new" / "folder" / "b.txt", "höhe\r\n")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\r\n\xff"
    assert (tmp_path / "new" / "folder" / "b.txt").read_bytes() == "höhe\r\n".encode()


def test_the_name_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "mask.nii.gz"
    with atomic_path(target) as sibling:
        sibling.write_bytes(b"half")
        assert not target.exists()
        assert sibling.parent == tmp_path
        assert sibling.name.endswith(".nii.gz")
    assert target.read_bytes() == b"half"
    assert os.listdir(tmp_path) == ["mask.nii.gz"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what a descriptor is is read from /proc")
def test_the_bytes_are_on_the_disk_before_the_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bool]] = []

    def flush(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        flushed.append(("folder" if path == tmp_path else path.read_text(), (tmp_path / "a.txt").exists()))

    monkeypatch.setattr(os, "fsync", flush)
    write_text(tmp_path / "a.txt", "whole")
    assert flushed == [("whole", False), ("folder", True)]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "report.html"
    target.write_text("before")
    with pytest.raises(error), atomic_path(target, overwrite=True) as sibling:
        sibling.write_text("half")
        raise error
    assert os.listdir(tmp_path) == ["report.html"]
    assert target.read_text() == "before"


def test_a_block_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "report.html"):
        pass
    assert os.listdir(tmp_path) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "run.json"
    with atomic_path(target, overwrite=True) as first, atomic_path(target, overwrite=True) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"
    assert os.listdir(tmp_path) == ["run.json"]


def test_an_existing_file_is_kept_without_overwrite(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "one")
    with pytest.raises(OutputExistsError, match=r"'a\.txt' already exists.*pass --overwrite"):
        write_text(target, "two")
    assert target.read_text() == "one"
    write_text(target, "two", overwrite=True)
    assert target.read_text() == "two"


def test_a_file_created_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(OutputExistsError), atomic_path(target) as sibling:
        sibling.write_text("late")
        target.write_text("early")
    assert target.read_text() == "early"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputExistsError, match="is a folder"):
        write_text(tmp_path / "out", "text", overwrite=True)


def test_written_files_are_readable_by_others(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "text")
    (tmp_path / "plain.txt").write_text("text")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_json_is_sorted_indented_and_plain(tmp_path: Path) -> None:
    value = {
        "b": 0.5,
        "a": (3, None, True),
        "view": View.SAX,
        "curve": [0.0, 1.0],
        2: "ü",
    }
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    plain = {"2": "ü", "a": [3, None, True], "b": 0.5, "curve": [0.0, 1.0], "view": "sax"}
    assert json.loads(text) == plain
    assert text == json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [1.0, float("nan")]])
def test_json_rejects_nan_with_its_location(tmp_path: Path, bad: object) -> None:
    with pytest.raises(UsageError, match=r"value\.summary\.lv_ef_percent(\[1\])? is (nan|inf)"):
        write_json(tmp_path / "a.json", {"summary": {"lv_ef_percent": bad}})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("bad", [{"a": Path("x")}, {"a": object()}])
def test_json_rejects_unsupported_types(tmp_path: Path, bad: object) -> None:
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        write_json(tmp_path / "a.json", bad)
    assert os.listdir(tmp_path) == []


def test_an_error_names_the_file_and_not_its_draft(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "review.json") as sibling:
        sibling.read_bytes()
    assert caught.value.filename == str(tmp_path / "review.json")
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "review.json"):
        (tmp_path / "other").read_bytes()
    assert caught.value.filename == str(tmp_path / "other")
