"""The templates of the pages."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from cinema_cmr.core.vocabulary import LABEL_SCHEMES
from cinema_cmr.report.page import OUTLINES, page_environment


def test_everything_is_escaped_and_an_unknown_name_is_an_error() -> None:
    environment = page_environment()
    assert environment.from_string("{{ a }}").render(a="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        environment.from_string("{{ a }}").render()


def test_outlines_have_the_colours_of_the_vocabulary() -> None:
    for scheme in ("cine", "chambers"):
        colours = {label.name: label.colour for label in LABEL_SCHEMES[scheme]}
        assert {name: colour for name, _, colour in OUTLINES[scheme]} == colours
