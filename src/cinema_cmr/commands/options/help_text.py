"""The form of `cinema COMMAND --help`: one line an option, its default at the end, no Python types."""

from __future__ import annotations

import re
from argparse import SUPPRESS, Action
from collections.abc import Iterable
from typing import Any

from jsonargparse import DefaultHelpFormatter

__all__ = ["HelpFormatter", "lacks_default"]

_STATED = re.compile(r"\bdefault\b")
"""A default that the text of an option states itself, in brackets or after its meaning."""


class HelpFormatter(DefaultHelpFormatter):  # type: ignore[misc]  # jsonargparse is untyped here
    """One line an option where it fits; required options and defaults are marked."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **{**settings, "max_help_position": 36})

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Leave a text of several lines (recipes, examples) as it is."""
        return text if "\n" in text else str(super()._fill_text(text, width, indent))

    def _get_help_string(self, action: Action) -> str:
        text = action.help or ""
        if action.required and action.option_strings:
            return f"{text} (required)"
        return f"{text} (default: %(default)s)" if lacks_default(action) else text

    def _format_usage(self, usage: Any, actions: Iterable[Action], *arguments: Any) -> str:
        """Return the positional and the required arguments; the options are listed below."""
        shown = (action for action in actions if action.required or not action.option_strings)
        return f"usage: {' '.join([self._prog, *map(_usage_word, shown)])} [options]\n\n"


def lacks_default(action: Action) -> bool:
    """Return whether an option has a default to state that its own text does not state."""
    has_one = bool(action.option_strings) and action.default not in (None, False, SUPPRESS, [], "")
    return has_one and _STATED.search(action.help or "") is None


def _usage_word(action: Action) -> str:
    name = str(action.metavar or action.dest.upper())
    if action.option_strings:
        return f"{action.option_strings[0]} {name}"
    return {"*": f"[{name} ...]", "?": f"[{name}]"}.get(str(action.nargs), name)
