"""Docstrings below the fields of dataclasses, which Python itself does not keep."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

__all__ = ["field_docs"]


def field_docs(owner: type[Any]) -> dict[str, str]:
    """Return the docstring below each field that a class itself declares, on one line."""
    if owner is object:
        return {}
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[statement.target.id] = " ".join(str(following.value.value).split())
    return docs
