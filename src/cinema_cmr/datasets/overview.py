"""Markdown table of the datasets for the documentation, from their cards."""

from __future__ import annotations

from collections.abc import Iterable

from cinema_cmr.data.cases import DatasetCard

__all__ = ["markdown_table"]

_COLUMNS = ("name", "title", "cases", "licence", "how to get it", "to cite")


def markdown_table(cards: Iterable[DatasetCard]) -> str:
    """Return a table with one row per card, in order.

    >>> card = DatasetCard(name="a", title="A", licence="CC0", citation="", how_to_get="Ask.", n_cases=2)
    >>> markdown_table([card]).splitlines()[-1]
    '| `a` | A | 2 | CC0 | Ask. | - |'
    """
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(card) for card in cards)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(card: DatasetCard) -> tuple[str, ...]:
    number = "-" if card.n_cases is None else str(card.n_cases)
    cells = (card.title, number, card.licence, card.how_to_get, card.citation or "-")
    return (f"`{card.name}`", *(cell.replace("|", "\\|") for cell in cells))
