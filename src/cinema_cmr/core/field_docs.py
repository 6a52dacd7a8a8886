"""Docstrings below the fields of dataclasses, which Python itself does not keep."""

from __future__ import annotations

import docstring_parser

__all__ = ["field_docs"]


def field_docs(owner: type) -> dict[str, str]:
    """Return the docstring below each field that a class itself declares, on one line."""
    params = [] if owner is object else docstring_parser.parse_from_object(owner).params
    return {param.arg_name: " ".join(param.description.split()) for param in params if param.description}
