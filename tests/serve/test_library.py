"""Results are found below the given folders, once each, and by a key that shows no path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UnknownNameError
from cinema_cmr.serve.library import Library, check_folders, study_key


def test_results_are_found_at_and_below_folders_once(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "many" / "deep" / "two")
    (tmp_path / "many" / "link").symlink_to(results)
    (tmp_path / "many" / "half").mkdir()
    (tmp_path / "many" / "half" / "measurements.json").write_text("{}")
    library = Library([results, tmp_path / "many", results])
    assert [one.folder.name for one in library.listed()] in (["results", "two"], ["two", "results"])
    one = library.listed()[0]
    assert library.folder(one.key) == one.folder and str(tmp_path) not in one.key
    with pytest.raises(UnknownNameError):
        library.folder("0" * 16)


def test_a_damaged_result_does_not_hide_the_others(results: Path, tmp_path: Path) -> None:
    other = shutil.copytree(results, tmp_path / "other")
    (other / "measurements.json").write_text("{")
    listed, damaged = Library([results, other]).entries()
    assert [one.folder for one in listed] == [results.resolve()]
    assert [(one.name, one.key) for one in damaged] == [("other", study_key(other))]


@pytest.mark.parametrize(
    ("name", "content"), [("measurements.json", "{"), ("measurements.json", "[]"), ("review.json", "{}x")]
)
def test_a_damaged_result_is_listed_with_what_is_wrong_and_what_to_do(results: Path, name: str, content: str) -> None:
    (results / name).write_text(content)
    listed, (damaged,) = Library([results]).entries()
    assert listed == [] and damaged.name == "results"
    assert (
        name in damaged.error
        and "expected" in damaged.error
        and "intact copy" in damaged.error
        and str(results.parent) not in damaged.error
    )


def test_results_that_are_removed_while_they_are_listed_are_not_damaged(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library([results])

    def removed(folder: Path) -> None:
        shutil.rmtree(folder)
        raise FileNotFoundError(2, "No such file or directory", str(folder / "measurements.json"))

    monkeypatch.setattr(library, "record", removed)
    assert library.entries() == ([], [])


def test_a_record_is_read_again_when_it_has_changed(results: Path) -> None:
    library = Library([results])
    first = library.record(results)
    assert library.record(results) is first
    path = results / "measurements.json"
    path.write_text(path.read_text().replace('"name": "study"', '"name": "other"'))
    assert library.record(results).study.name == "other"
    assert study_key(results) == study_key(results / ".." / results.name)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        check_folders([tmp_path / "none"])
