"""The templates of the report's pages, and what all of them share."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from cinema_cmr.core.vocabulary import CHAMBER_LABELS, CINE_LABELS, SCAR_LABELS
from cinema_cmr.report.frames import UNITS_PER_PIXEL
from cinema_cmr.report.markdown import number_text
from cinema_cmr.report.wording import change, counted, number, sentence, spans, unit_text, words

__all__ = ["OUTLINES", "page_environment"]

_OUTLINE_TITLES = {
    "rv": "right ventricular cavity",
    "myo": "epicardium",
    "lv": "left ventricular cavity",
    "la": "left atrial cavity",
    "ra": "right atrial cavity",
}

_CHAMBERS = tuple((label.name, _OUTLINE_TITLES[label.name], label.colour) for label in CHAMBER_LABELS)
_COLOURS = {label.name: label.colour for label in SCAR_LABELS}

OUTLINES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "cine": _CHAMBERS[: len(CINE_LABELS)],
    "chambers": _CHAMBERS,
    "scar": (
        ("no_reflow", "no-reflow", _COLOURS["no_reflow"]),
        ("infarct", "infarct, no-reflow included", _COLOURS["infarct"]),
        ("myo", "epicardium", _COLOURS["myo_normal"]),
        ("lv", "left ventricular cavity", _COLOURS["lv_cavity"]),
    ),
}
"""Scheme -> name, title and colour of what is outlined; the myocardium's outline runs around the cavity too."""


def page_environment() -> Environment:
    """Jinja with the package's templates: everything is escaped, an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("cinema_cmr.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (change, counted, number, sentence, spans, unit_text, words)
    environment.filters.update({function.__name__: function for function in filters}, digits=number_text)
    colours = {name: colour for outlines in OUTLINES.values() for name, _, colour in outlines}
    environment.globals.update(outlines=OUTLINES["cine"], colours=colours, units_per_pixel=UNITS_PER_PIXEL)
    return environment
