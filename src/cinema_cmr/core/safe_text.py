"""Text of foreign origin made safe for where it is shown: a terminal, a spreadsheet, a Markdown page.

File names and series descriptions can hold anything; HTML pages escape them by their templates.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping

__all__ = ["csv_cell", "csv_row", "csv_text", "json_line", "markdown_cell", "plain_name", "printable"]

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
"""Unicode categories that move the cursor, change the direction of text, or cannot be shown."""
_JOINERS = "\u200c\u200d"
"""Format characters that words of several scripts need."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARKUP = re.compile(r"([\\`*\[\]|]|<(?=[A-Za-z/!?]))")
_NUMBER = re.compile(r"-|[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def printable(text: str, *, keep: str = "") -> str:
    """Return a text whose control and direction characters, and bytes that are not UTF-8, are written as escapes.

    `keep` are characters that stay, such as the line ends of a text of our own.

    >>> printable("scan\\x1b[2J")
    'scan\\\\x1b[2J'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in keep or not _is_hidden(one) else _escape(one) for one in text)


def plain_name(name: str) -> str:
    """Return a name for outputs: characters that cannot be shown become underscores.

    >>> plain_name("a\\nb"), plain_name("Müller")
    ('a_b', 'Müller')
    """
    return "".join("_" if _is_hidden(one) else one for one in name)


def json_line(value: object) -> str:
    """Return a JSON text of one line in which everything that a terminal could act on is an escape."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(_json_escape(one) if _is_hidden(one) else one for one in text)


def csv_cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: text that begins like one is preceded by a quote.

    >>> csv_cell("=cmd()"), csv_cell("-3.5"), csv_cell(-3.5), csv_cell("patient001")
    ("'=cmd()", '-3.5', -3.5, 'patient001')
    """
    return f"'{value}" if isinstance(value, str) and _is_formula(value.lstrip("'")) else value


def csv_text(cell: str) -> str:
    """Return the text that `csv_cell` made a cell of.

    >>> csv_text("'=cmd()"), csv_text("'quoted'")
    ('=cmd()', "'quoted'")
    """
    return cell[1:] if cell.startswith("'") and _is_formula(cell.lstrip("'")) else cell


def csv_row(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row with each cell as `csv_cell` gives it."""
    return {name: csv_cell(value) for name, value in row.items()}


def markdown_cell(text: str) -> str:
    """Return a text for a cell of a Markdown table: one line, no markup.

    >>> markdown_cell("a|b <i>")
    'a\\\\|b \\\\<i>'
    """
    return _MARKUP.sub(r"\\\1", " ".join(printable(text, keep="\n").split()))


def _is_formula(text: str) -> bool:
    return text.startswith(_FORMULA) and not _NUMBER.fullmatch(text)


def _is_hidden(one: str) -> bool:
    return unicodedata.category(one) in _HIDDEN and one not in _JOINERS


def _escape(one: str) -> str:
    return one.encode("unicode_escape", errors="surrogatepass").decode("ascii")


def _json_escape(one: str) -> str:
    return json.dumps(one)[1:-1]
