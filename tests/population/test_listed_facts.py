"""Facts of the latest listing: exact values, other studies unharmed, the later listing counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stub_works import studies

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.population.listed_facts import keep_facts, listed_facts, take_facts

ONE, TWO = (replace(study, facts={"site": 1}) for study in studies("one", "two"))


def test_a_later_listing_replaces_all_facts_of_its_studies_alone(tmp_path: Path) -> None:
    assert listed_facts(tmp_path) == {}
    keep_facts(tmp_path, [ONE, TWO])
    keep_facts(tmp_path, [replace(ONE, facts={"date": 20190517.25, "group": "\udcff", "again": True, "none": None})])
    assert listed_facts(tmp_path) == {
        "one": {"date": 20190517.25, "group": "\udcff", "again": True, "none": None},
        "two": {"site": 1},
    }


def test_of_several_folders_the_later_listing_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, seconds in ((0, 5), (1, 10), (2, 20), (0, 30)):
        monkeypatch.setattr("cinema_cmr.population.listed_facts.time.time_ns", lambda now=seconds: now * 10**9)
        keep_facts(tmp_path / str(number), [replace(ONE, facts={"site": number})])
    take_facts(tmp_path / "0", [tmp_path / "1", tmp_path / "2", tmp_path / "none"])
    assert listed_facts(tmp_path / "0") == {"one": {"site": 0}}
    take_facts(tmp_path / "all", [tmp_path / "2", tmp_path / "1"])
    assert listed_facts(tmp_path / "all") == {"one": {"site": 2}}


@pytest.mark.parametrize("content", ["{", '{"study": "one"}', '{"study": 1, "listed_ms": 2, "facts": {}}'])
def test_a_damaged_file_is_not_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "1-of-1.jsonl").write_text(content)
    with pytest.raises(UnreadableFileError, match=r"facts/1-of-1\.jsonl' is damaged"):
        keep_facts(tmp_path, [ONE])
    with pytest.raises(UnreadableFileError, match=r"facts/1-of-1\.jsonl' is damaged"):
        listed_facts(tmp_path)


def test_shards_of_one_folder_write_no_file_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network disk may show a shard what lay there before the other wrote."""
    keep_facts(tmp_path, [ONE], (1, 2))
    with monkeypatch.context() as stale:
        stale.setattr("cinema_cmr.population.listed_facts.read_json_lines", lambda path: [])
        keep_facts(tmp_path, [TWO], (2, 2))
    assert listed_facts(tmp_path) == {"one": {"site": 1}, "two": {"site": 1}}
    assert sorted(path.name for path in (tmp_path / "facts").iterdir()) == ["1-of-2.jsonl", "2-of-2.jsonl"]


def test_the_later_listing_counts_whichever_shard_it_was_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, shard, site in ((20, (1, 1), 2), (10, (2, 2), 1)):
        monkeypatch.setattr("cinema_cmr.population.listed_facts.time.time_ns", lambda now=seconds: now * 10**9)
        keep_facts(tmp_path, [replace(ONE, facts={"site": site})], shard)
    assert listed_facts(tmp_path) == {"one": {"site": 2}}
