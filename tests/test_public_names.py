"""The public names are frozen in `public_names.json`; after a change on purpose, `make names`."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import cinema_cmr

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "cinema_cmr"
FROZEN = Path(__file__).with_name("public_names.json")


def public_names() -> dict[str, list[str]]:
    """Module -> what its `__all__` lists, sorted; read without importing the module."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names = names_in(path)
        if names is not None:
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = sorted(names)
    return found


def names_in(path: Path) -> list[str] | None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def write_names() -> None:
    FROZEN.write_text(json.dumps(public_names(), indent=1) + "\n", encoding="utf-8")


def test_public_names_are_the_frozen_ones() -> None:
    frozen = json.loads(FROZEN.read_text(encoding="utf-8"))
    now = public_names()
    old, new = ({f"{module}.{name}" for module in names for name in names[module]} for names in (frozen, now))
    changes = [
        *(f"gone: {name}" for name in sorted(old - new)),
        *(f"new: {name}" for name in sorted(new - old)),
    ]
    assert not changes, "\n".join([*changes, "if this is on purpose: make names"])


def test_everything_at_the_door_is_there() -> None:
    for name in cinema_cmr.__all__:
        assert getattr(cinema_cmr, name) is not None


if __name__ == "__main__":
    write_names()
