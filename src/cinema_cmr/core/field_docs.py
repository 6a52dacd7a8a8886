"""Docstrings below the fields of dataclasses, which Python itself does not keep."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import docstring_parser

__all__ = ["field_docs"]


@cache
def field_docs(owner: type) -> Mapping[str, str]:
    """Return the docstring below each field that a class itself declares, on one line; the source is parsed once."""
    params = [] if owner is object else docstring_parser.parse_from_object(owner).params
    return MappingProxyType(
        {param.arg_name: " ".join(param.description.split()) for param in params if param.description}
    )
