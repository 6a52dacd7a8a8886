"""Rules for every source file: names, docstrings, lengths, types and tests."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path

import pytest

from source_code import (
    OUR_FILES,
    PACKAGE,
    ROOT,
    SOURCES,
    TESTS,
    annotations_of,
    at,
    function_lengths,
    functions_of,
    height_of,
    module_name,
    modules,
    place,
    public_names,
    tree_of,
    words_of,
)

TESTS_OF_THE_WHOLE = {
    "datasets/test_wrong_labels.py",
    "fuzz/test_fuzz.py",
    "test_five_studies.py",
    "test_pasted_examples.py",
    "test_python_page.py",
    "receive/test_orthanc.py",
    "serve/test_browser.py",
    "serve/test_browser_layout.py",
    "serve/test_browser_tools.py",
    "serve/test_openapi.py",
    "test_architecture.py",
    "test_canaries.py",
    "test_code_rules.py",
    "test_documents.py",
    "test_exported_scans.py",
    "test_packaging.py",
    "test_public_names.py",
    "test_release.py",
    "test_scar.py",
    "test_site.py",
}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 400
MIN_TESTED_LINES = 40
MAX_PERCENT_ANY = 1.5
"""Share of function signatures with `Any`."""
WRAPPERS = ("io/dicom/",)
"""Wrappers of a library without types."""
SERIALISER = "core/serialise.py"
"""The one module that turns types into free mappings and back."""

LIBRARY_NAMES = {
    "ESTIMATORS",
    "QualityError",
    "choose_cutoff",
    "choose_threshold",
    "detection_scores",
    "make_demo",
    "measure_masks",
    "read_each",
    "scan_rescan_cov",
    "score_binary",
    "split_by_name",
}
"""Public names for users and benchmarks, without a use in the package."""
REGISTERED = ("recipes/",)
"""Folders whose public functions a registry collects."""


@pytest.mark.medium
def test_every_module_has_a_docstring_and_its_public_names() -> None:
    offences = []
    for path in SOURCES:
        body = tree_of(path).body
        assigned = {ast.unparse(n.targets[0]) for n in body if isinstance(n, ast.Assign)}
        if body and ast.get_docstring(tree_of(path)) is None:
            offences.append(at(path, 1, "has no docstring"))
        if body and "__all__" not in assigned:
            offences.append(at(path, 1, "has no __all__"))
    assert not offences, "\n".join(offences)


def test_public_functions_and_classes_have_docstrings() -> None:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    offences = [
        at(path, node.lineno, f"{node.name} has no docstring")
        for path in SOURCES
        for node in tree_of(path).body
        if isinstance(node, definitions) and not node.name.startswith("_") and ast.get_docstring(node) is None
        if "overload" not in map(ast.unparse, node.decorator_list)
    ]
    assert not offences, "\n".join(offences)


@pytest.mark.medium
def test_public_names_are_used() -> None:
    """A name that only tests use is dead; `make check` finds the private ones."""
    top = set(public_names(PACKAGE / "__init__.py"))
    offences = []
    for path in (path for path in modules() if not place(path).startswith(REGISTERED)):
        for name in set(public_names(path)) - top - LIBRARY_NAMES:
            used = any(name in words_of(other) for other in SOURCES if other != path)
            if not used and _count(path, name) < 2:
                offences.append(at(path, 1, f"{name} is not used"))
    assert not offences, "\n".join(offences)


def _count(path: Path, name: str) -> int:
    """Occurrences of a name as an identifier: its definition, its uses, and decorators that register it."""
    uses = sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree_of(path)))
    definitions = [node for node in tree_of(path).body if getattr(node, "name", None) == name]
    return uses + len(definitions) + sum(len(getattr(node, "decorator_list", ())) for node in definitions)


def test_modules_have_telling_names() -> None:
    offences = [str(path.relative_to(ROOT)) for path in OUR_FILES if EMPTY_NAMES & set(path.stem.lower().split("_"))]
    assert not offences, "\n".join(offences)


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in OUR_FILES}
    offences = [at(path, length, "lines") for path, length in lengths.items() if length >= MAX_FILE_LINES]
    assert not offences, "\n".join(offences)


@pytest.mark.medium
def test_functions_are_short() -> None:
    offences = [
        at(path, node.lineno, f"{node.name} has {length} lines of code")
        for path in OUR_FILES
        if any(height_of(node) > MAX_FUNCTION_LINES for node in functions_of(path))  # else its tokens are not needed
        for node, length in function_lengths(path)
        if length > MAX_FUNCTION_LINES
    ]
    assert not offences, "\n".join(offences)


def test_function_length_counts_code_only(tmp_path: Path) -> None:
    path = tmp_path / "counted.py"
    path.write_text('def f(a,\n      b):\n    """One.\n\n    Two."""\n    # why\n\n    return (a +\n            b)\n')
    assert [length for _, length in function_lengths(path)] == [4]


def test_few_signatures_have_any() -> None:
    functions = [node for path in modules() if not place(path).startswith(WRAPPERS) for node in functions_of(path)]
    found = sum(
        any(isinstance(part, ast.Name) and part.id == "Any" for one in annotations_of(node) for part in ast.walk(one))
        for node in functions
    )
    percent = 100 * found / len(functions)
    assert percent <= MAX_PERCENT_ANY, f"{found} of {len(functions)} signatures have Any: {percent:.1f} %"


def test_mappings_of_anything_are_the_serialiser_s_alone() -> None:
    """`dict[str, Any]` names no type: results are dataclasses, JSON values are `Json`, options `object`."""
    offences = [
        at(path, node.lineno, ast.unparse(node))
        for path in modules()
        if place(path) != SERIALISER and not place(path).startswith(WRAPPERS)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Subscript) and ast.unparse(node) == "dict[str, Any]"
    ]
    assert not offences, "\n".join(offences)


def test_every_test_file_mirrors_a_source_file() -> None:
    offences = []
    for path in sorted(TESTS.rglob("test_*.py")):
        name = path.relative_to(TESTS)
        mirrored = PACKAGE / name.parent / name.name.removeprefix("test_")
        if str(name) not in TESTS_OF_THE_WHOLE and not mirrored.exists():
            offences.append(f"{path.relative_to(ROOT)} has no {mirrored.relative_to(ROOT)}")
    assert not offences, "\n".join(offences)


def test_every_module_has_a_test_file() -> None:
    offences = [
        place(path)
        for path in modules()
        if len(path.read_text(encoding="utf-8").splitlines()) > MIN_TESTED_LINES
        and not (TESTS / path.relative_to(PACKAGE).with_name(f"test_{path.name}")).exists()
    ]
    assert not offences, f"modules of over {MIN_TESTED_LINES} lines without a test file of their own"


@pytest.mark.parametrize("path", [p for p in SOURCES if ">>>" in p.read_text(encoding="utf-8")], ids=module_name)
def test_examples_in_docstrings_are_true(path: Path) -> None:
    assert doctest.testmod(importlib.import_module(module_name(path))).failed == 0
