"""The project's source files, their syntax trees and their imports, for the tests of the architecture."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "cinema_cmr"
TESTS = ROOT / "tests"
SOURCES = sorted(PACKAGE.rglob("*.py"))
OUR_FILES = [*SOURCES, *sorted(TESTS.rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(path: Path) -> str:
    """Top-level package of a module, or the name of the entry point."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def modules() -> list[Path]:
    """Source files with content: all but the `__init__.py` files."""
    return [path for path in SOURCES if path.stem != "__init__"]


def place(path: Path) -> str:
    """Path of a module within the package, e.g. "io/dicom/stack.py"."""
    return path.relative_to(PACKAGE).as_posix()


def at(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line} {what}"


def imports_of(path: Path, package: Path = PACKAGE) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports: anywhere in it, relative, or by `import_module`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _import_source(node, path, package)
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _called_name(node).endswith("import_module"):
            yield from ((node.lineno, str(arg.value)) for arg in node.args if isinstance(arg, ast.Constant))


def _called_name(node: ast.Call) -> str:
    """Last part of the called name; empty for other calls. (`ast.unparse` would take seconds in all.)"""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _import_source(node: ast.ImportFrom, path: Path, package: Path) -> str:
    if not node.level:
        return node.module or ""
    parents = path.relative_to(package.parent).parent.parts
    return ".".join((*parents[: len(parents) - node.level + 1], *([node.module] if node.module else [])))


def public_names(path: Path) -> list[str]:
    """Names in the module's `__all__`."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


@cache
def words_of(path: Path) -> frozenset[str]:
    """Identifiers in a file, those of entry points ("module:function") too."""
    text = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    names = frozenset(token.string for token in tokens if token.type == tokenize.NAME)
    return names | frozenset(re.findall(r'"\w+:(\w+)"', text))


def functions_of(path: Path) -> Iterator[Function]:
    """All functions of a file, with nested ones and methods."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def height_of(node: Function) -> int:
    """Number of lines from first to last, never below the number of lines of code."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def function_lengths(path: Path) -> Iterator[tuple[Function, int]]:
    """Functions of a file with their lines of code: without blank lines, comments and docstrings."""
    code = _lines_of_code(path)
    for node in functions_of(path):
        yield node, len(code & set(range(node.lineno, node.lineno + height_of(node))))


def annotations_of(node: Function) -> Iterator[ast.expr]:
    """Annotations of a function's arguments and result."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    yield from (argument.annotation for argument in arguments if argument is not None and argument.annotation)
    if node.returns:
        yield node.returns


def _lines_of_code(path: Path) -> set[int]:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines
