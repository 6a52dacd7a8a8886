"""The catalogue of flags agrees with the source: every code that is raised, and no other, at its levels."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

import pytest

from cinema_cmr.measure.quality.flag_catalogue import FLAGS
from source_code import SOURCES, place, tree_of

CODE = re.compile(r"[a-z]+(-[a-z]+)+")
RAISERS = {"Flag", "Issue", "_issue", "_add_issue"}


def raised() -> dict[str, set[str]]:
    """Code -> levels stated in the call, of every call that raises a flag with a literal or named code."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        names = {
            node.targets[0].id: node.value.value
            for node in tree_of(path).body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and is_text(node.value)
        }
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISERS:
                values = [*node.args, *(k.value for k in node.keywords if k.arg in ("code", "severity"))]
                texts = [text for value in values for text in texts_of(value, names)]
                levels = [text for text in texts if text in ("info", "warning", "error")]
                for code in (text for text in texts if CODE.fullmatch(text)):
                    found[code].update(levels)
    return found


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def texts_of(value: ast.expr, names: dict[str, str]) -> list[str]:
    """Strings of an argument: a literal, a constant of the module, or both branches of a condition."""
    if isinstance(value, ast.IfExp):
        return texts_of(value.body, names) + texts_of(value.orelse, names)
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [value.value]
    return [names[value.id]] if isinstance(value, ast.Name) and value.id in names else []


@pytest.mark.medium
def test_every_code_that_is_raised_is_listed_with_its_levels() -> None:
    listed = {flag.code: set(flag.levels) for flag in FLAGS}
    found = raised()
    assert len(found) > 60
    assert sorted(set(found) - set(listed)) == []
    assert {code: levels - listed[code] for code, levels in found.items() if levels - listed[code]} == {}


def test_every_listed_code_is_raised() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in SOURCES if place(path) != "measure/quality/flag_catalogue.py"
    )
    absent = [flag.code for flag in FLAGS if f'"{flag.code.removesuffix("-VIEW")}' not in source]
    absent = [code for code in absent if f'f"{code.removesuffix("VIEW")}' not in source]
    assert absent == []


def test_codes_are_unique_and_texts_are_short() -> None:
    codes = [flag.code for flag in FLAGS]
    assert len(set(codes)) == len(codes)
    assert all(flag.meaning and flag.trigger and len(flag.meaning + flag.trigger) < 180 for flag in FLAGS)
