"""The parser of a command: its errors are safe to look at, its configuration files bounded, its paths not empty."""

from __future__ import annotations

import re
from argparse import Action
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.safe_text import printable
from cinema_cmr.files.text import read_yaml

__all__ = ["CommandParser", "check_config_files", "check_paths"]

_REQUIRED = re.compile(r"(the following arguments are required: )([\w, -]+)")
_SHOWN = 600
"""Characters of an error: it may quote an argument or a configuration."""
_PATHS = (
    *("config", "data", "image", "input", "inputs", "manifest", "mask", "normal_ranges", "output", "results", "source"),
    "split",
)


class CommandParser(ArgumentParser):  # type: ignore[misc]  # jsonargparse is untyped here
    """A parser whose errors hold no control characters and are never long."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print usage and the error, and exit with code 2."""
        shown = printable(_REQUIRED.sub(self._required, message), keep="\n")
        super().error(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]} ...", ex)
        raise AssertionError("the base class exits")

    def _required(self, found: re.Match[str]) -> str:
        """Return what is missing as it is typed: jsonargparse names where each value goes."""
        typed = {action.dest: self._typed(action) for action in self._actions}
        return found[1] + ", ".join(typed.get(name, name) for name in found[2].split(", "))

    @staticmethod
    def _typed(action: Action) -> str:
        metavar = action.metavar or action.dest.upper()
        return f"{action.option_strings[0]} {metavar}" if action.option_strings else str(metavar)


def check_config_files(words: Sequence[str]) -> None:
    """Raise `UsageError` unless each file of `--config` is a small text of names and values, before it is parsed."""
    given = [after for word, after in pairwise(words) if word == "--config"]
    given += [word.partition("=")[2] for word in words if word.startswith("--config=")]
    for path in given:
        try:
            values = read_yaml(path)
        except OSError as error:
            raise UsageError(
                f"configuration '{Path(path).name}' cannot be read ({error.strerror}); expected a YAML file: check the"
                " path"
            ) from error
        if not isinstance(values, dict):
            raise UsageError(
                f"configuration '{Path(path).name}' holds no names and values; expected a YAML file of options, or a"
                " run's config.yaml: check the path"
            )


def check_paths(given: Namespace) -> None:
    """Raise `UsageError` for an empty path, which would mean the current folder."""
    for name in _PATHS:
        values = given.get(name)
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str) and not value.strip():
                raise UsageError(f"the path of '{name}' is empty; expected a file or a folder, '.' for the current one")
