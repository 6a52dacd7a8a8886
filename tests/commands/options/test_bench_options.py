"""Options that bench and sweep share."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from cinema_cmr.commands.options.bench_options import add_bench_options, bench_options, split_names, write_texts
from cinema_cmr.core.errors import UsageError


def parse(*words: str) -> object:
    parser = ArgumentParser()
    add_bench_options(parser)
    return bench_options(parser.parse_args(["-o", "out", *words]))


def test_options_become_settings_of_runs() -> None:
    options = parse("--preset", "coarse", "--steps", "5")
    assert (options.root, options.preset, options.steps) == (Path("out"), "coarse", 5)  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="0 steps"):
        parse("--steps", "0")


def test_names_are_separated_by_commas() -> None:
    assert split_names("a, b,") == ["a", "b"] and split_names(None) is None


def test_tables_replace_those_of_an_earlier_call(tmp_path: Path) -> None:
    for text in ("old", "new"):
        write_texts(tmp_path, {"bench.md": text})
    assert (tmp_path / "bench.md").read_text() == "new"
