"""Options that bench and sweep share."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.bench_options import add_bench_options, bench_request, split_names
from cinema_cmr.core.errors import UsageError
from cinema_cmr.pipeline.benchmarks import BenchRequest


def parse(*words: str) -> BenchRequest:
    parser = ArgumentParser()
    add_bench_options(parser)
    parser.add_argument("--seeds", type=int, default=1)
    return bench_request(parser.parse_args(["-o", "out", *words]), Console())


def test_options_become_settings_of_runs() -> None:
    request = parse("--preset", "coarse", "--steps", "5", "--data", "a", "--data", "b", "--models", "unet,resnet")
    options = request.options
    assert (options.root, options.preset, options.steps) == (Path("out"), "coarse", 5)
    assert (request.data, request.models, request.split) == (["a", "b"], ["unet", "resnet"], None)
    for words, said in ((["--steps", "0"], "0 steps"), (["--seeds", "0"], "0 seeds")):
        with pytest.raises(UsageError, match=said):
            parse(*words)


def test_names_are_separated_by_commas() -> None:
    assert split_names("a, b,") == ["a", "b"] and split_names(None) is None
