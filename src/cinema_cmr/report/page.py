"""The templates of the report's pages, and what all of them share."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from cinema_cmr.core.vocabulary import CINE_LABELS
from cinema_cmr.report.wording import number, sentence, spans, unit_text, words

__all__ = ["OUTLINES", "page_environment"]

_OUTLINE_TITLES = {"rv": "right ventricular cavity", "myo": "epicardium", "lv": "left ventricular cavity"}

OUTLINES = tuple((label.name, _OUTLINE_TITLES[label.name], label.colour) for label in CINE_LABELS)
"""Name, title and colour of what is outlined; the myocardium's outline runs around the cavity too."""


def page_environment() -> Environment:
    """Jinja with the package's templates: everything is escaped, an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("cinema_cmr.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (number, sentence, spans, unit_text, words)
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals.update(outlines=OUTLINES)
    return environment
