"""The house keeps its shape: imports go down, light rooms stay light, and the code keeps to its manner."""

from __future__ import annotations

import ast
import doctest
import importlib
import io
import json
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "cinema_cmr"
TESTS = ROOT / "tests"
SOURCES = sorted(PACKAGE.rglob("*.py"))
OUR_FILES = [*SOURCES, *sorted(TESTS.rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

FLOORS = {
    "core": 0,
    "views": 1,
    **dict.fromkeys(("io", "image", "measure", "score", "models"), 2),
    **dict.fromkeys(("phantom", "data"), 3),
    **dict.fromkeys(("datasets", "disease", "inference"), 4),
    "tasks": 5,
    "engine": 6,
    "evaluation": 7,
    **dict.fromkeys(("recipes", "report"), 8),
    "bench": 9,
}
DOORS = ("__init__", "__main__", "api", "pipeline", "cli", "commands", "web")
WITHOUT_TORCH = ("core", "io", "views", "measure", "score", "datasets", "disease", "report", "phantom")
WHOLE_HOUSE_TESTS = ("test_house.py", "test_packaging.py", "test_public_names.py", "test_scar.py")
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 400
MAX_CPU_SECONDS = 2.0
"""Generous: half a second is the aim. Processor time, so that a busy machine does not fail the test."""


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(path: Path) -> str:
    """The folder of a module in the package, or the door's own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a file imports, anywhere in it, relative or by `import_module`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = source_of(node, path)
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and called_name(node).endswith("import_module"):
            yield from ((node.lineno, str(arg.value)) for arg in node.args if isinstance(arg, ast.Constant))


def called_name(node: ast.Call) -> str:
    """The last word of what is called; empty where it has no name. (`ast.unparse` would take seconds in all.)"""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def source_of(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(PACKAGE.parent).parent.parts
    return ".".join((*package[: len(package) - node.level + 1], *([node.module] if node.module else [])))


def room_imported(name: str) -> str | None:
    """The room or door that an imported name belongs to; None for other packages and for the version."""
    parts = name.split(".")
    if parts[0] != "cinema_cmr" or parts[1:] == ["__version__"]:
        return None
    return parts[1] if len(parts) > 1 and parts[1] in (*FLOORS, *DOORS) else "__init__"


def why_not(importer: str, imported: str) -> str | None:
    """Why a room may not import another, or None where it may."""
    if importer in DOORS or imported == importer:
        return None
    if imported in DOORS:
        return "nobody imports the doors"
    if FLOORS[imported] == FLOORS[importer]:
        return f"both on floor {FLOORS[importer]}: move what they share a floor down"
    if FLOORS[imported] > FLOORS[importer]:
        return f"upwards, from floor {FLOORS[importer]} to {FLOORS[imported]}"
    return None


def said_of(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line} {what}"


def run_python(code: str) -> str:
    """What a fresh interpreter prints, without the test run's own imports."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_room_stands_on_a_floor() -> None:
    unplaced = sorted({room_of(path) for path in SOURCES} - {*FLOORS, *DOORS})
    assert unplaced == [], "give them a floor in tests/test_house.py and in ARCHITECTURE.md"


def test_imports_go_only_downwards() -> None:
    offences = []
    for path in SOURCES:
        for line, name in imports_of(path):
            imported = room_imported(name)
            reason = why_not(room_of(path), imported) if imported else None
            if reason:
                offences.append(said_of(path, line, f"imports {name}: {reason}"))
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("io", "core", True),
        ("io", "io", True),
        ("io", "measure", False),
        ("core", "io", False),
        ("datasets", "tasks", False),
        ("report", "engine", True),
        ("engine", "pipeline", False),
        ("cli", "pipeline", True),
    ],
)
def test_the_rule_itself(importer: str, imported: str, allowed: bool) -> None:
    assert (why_not(importer, imported) is None) == allowed


def test_relative_and_lazy_imports_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "cinema_cmr")
    path = tmp_path / "cinema_cmr" / "io" / "nifti.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from . import dicom\nfrom ..engine import trainer\n"
        "def later():\n    import cinema_cmr.report.build\n    importlib.import_module('cinema_cmr.tasks')\n"
    )
    found = sorted(name for _, name in imports_of(path))
    assert found == [
        "cinema_cmr.engine.trainer",
        "cinema_cmr.io.dicom",
        "cinema_cmr.report.build",
        "cinema_cmr.tasks",
    ]


def test_light_rooms_never_import_torch() -> None:
    offences = [
        said_of(path, line, f"imports {name}")
        for path in SOURCES
        if room_of(path) in WITHOUT_TORCH
        for line, name in imports_of(path)
        if name.split(".")[0] in ("torch", "monai", "lightning")
    ]
    assert not offences, "\n".join(offences)


@pytest.mark.medium
def test_light_rooms_come_without_torch() -> None:
    names = [module_name(path) for path in SOURCES if room_of(path) in WITHOUT_TORCH]
    imported = run_python("\n".join(["import sys", *(f"import {name}" for name in names), "print(*sys.modules)"]))
    assert "torch" not in imported.split()


HELP = "from cinema_cmr.cli import main\nsys.argv = ['cinema', '--help']\ntry: main()\nexcept SystemExit: pass"


@pytest.mark.parametrize("what", ["import cinema_cmr", HELP], ids=["import", "help"])
def test_the_door_opens_at_once(what: str) -> None:
    heavy = ["torch", "lightning", "monai", "matplotlib", "nibabel", "pydicom", "scipy"]
    report = f"print(json.dumps([[name for name in {heavy} if name in sys.modules], time.process_time()]))"
    printed = run_python(f"import json, sys, time\n{what}\n{report}")
    imported, seconds = json.loads(printed.splitlines()[-1])
    assert imported == []
    assert seconds < MAX_CPU_SECONDS


def test_every_module_has_a_docstring_and_its_public_names() -> None:
    offences = []
    for path in SOURCES:
        body = tree_of(path).body
        assigned = {ast.unparse(n.targets[0]) for n in body if isinstance(n, ast.Assign)}
        if body and ast.get_docstring(tree_of(path)) is None:
            offences.append(said_of(path, 1, "has no docstring"))
        if body and "__all__" not in assigned:
            offences.append(said_of(path, 1, "has no __all__"))
    assert not offences, "\n".join(offences)


def test_public_functions_and_classes_have_docstrings() -> None:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    offences = [
        said_of(path, node.lineno, f"{node.name} has no docstring")
        for path in SOURCES
        for node in tree_of(path).body
        if isinstance(node, definitions) and not node.name.startswith("_") and ast.get_docstring(node) is None
    ]
    assert not offences, "\n".join(offences)


def test_modules_have_telling_names() -> None:
    offences = [str(path.relative_to(ROOT)) for path in OUR_FILES if EMPTY_NAMES & set(path.stem.lower().split("_"))]
    assert not offences, "\n".join(offences)


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in OUR_FILES}
    offences = [said_of(path, length, "lines") for path, length in lengths.items() if length >= MAX_FILE_LINES]
    assert not offences, "\n".join(offences)


@pytest.mark.medium
def test_functions_are_short() -> None:
    offences = [
        said_of(path, node.lineno, f"{node.name} has {length} lines of code")
        for path in OUR_FILES
        if any(height_of(node) > MAX_FUNCTION_LINES for node in functions_of(path))  # else no need to read its tokens
        for node, length in function_lengths(path)
        if length > MAX_FUNCTION_LINES
    ]
    assert not offences, "\n".join(offences)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(path: Path) -> Iterator[Function]:
    """All functions of a file, nested ones and methods too."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def height_of(node: Function) -> int:
    """Lines from the first to the last, of code or not: never fewer than its lines of code."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def function_lengths(path: Path) -> Iterator[tuple[Function, int]]:
    """Functions of a file with their lines of code: neither blank lines, comments nor docstrings."""
    code = lines_of_code(path)
    for node in functions_of(path):
        yield node, len(code & set(range(node.lineno, node.lineno + height_of(node))))


def lines_of_code(path: Path) -> set[int]:
    text = path.read_text(encoding="utf-8")
    silent = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def test_function_length_counts_code_only(tmp_path: Path) -> None:
    path = tmp_path / "counted.py"
    path.write_text('def f(a,\n      b):\n    """One.\n\n    Two."""\n    # why\n\n    return (a +\n            b)\n')
    assert [length for _, length in function_lengths(path)] == [4]


def test_every_test_file_mirrors_a_source_file() -> None:
    offences = []
    for path in sorted(TESTS.rglob("test_*.py")):
        place = path.relative_to(TESTS)
        mirrored = PACKAGE / place.parent / place.name.removeprefix("test_")
        if str(place) not in WHOLE_HOUSE_TESTS and not mirrored.exists():
            offences.append(f"{path.relative_to(ROOT)} has no {mirrored.relative_to(ROOT)}")
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize("path", [p for p in SOURCES if ">>>" in p.read_text(encoding="utf-8")], ids=module_name)
def test_examples_in_docstrings_are_true(path: Path) -> None:
    assert doctest.testmod(importlib.import_module(module_name(path))).failed == 0
