"""The public names and signatures are frozen in `public_names.json`; after a change on purpose, `make names`."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import cinema_cmr

FROZEN = Path(__file__).with_name("public_names.json")
MAX_NAMES = 80


def public_contract() -> dict[str, str]:
    """Public name -> its signature, the fields of a dataclass, or the values of an enumeration."""
    return {name: described(getattr(cinema_cmr, name)) for name in sorted(cinema_cmr.__all__)}


def described(thing: object) -> str:
    if is_dataclass(thing):
        return f"fields {', '.join(field.name for field in fields(thing))}"
    if isinstance(thing, type) and issubclass(thing, str):
        return f"values {', '.join(thing)}"
    if isinstance(thing, type) and issubclass(thing, Exception):
        return f"exception of {', '.join(base.__name__ for base in thing.__bases__)}"
    if inspect.ismodule(thing):
        return f"functions {', '.join(thing.__all__)}, as {inspect.signature(getattr(thing, thing.__all__[0]))}"
    if callable(thing):
        return str(inspect.signature(thing))
    return type(thing).__name__


def write_contract() -> None:
    FROZEN.write_text(json.dumps(public_contract(), indent=1) + "\n", encoding="utf-8")


def test_public_contract_is_the_frozen_one() -> None:
    frozen, now = json.loads(FROZEN.read_text(encoding="utf-8")), public_contract()
    changes = [
        *(f"gone: {name}" for name in sorted(frozen.keys() - now.keys())),
        *(f"new: {name}" for name in sorted(now.keys() - frozen.keys())),
        *(
            f"changed: {name}: {frozen[name]} -> {now[name]}"
            for name in now
            if frozen.get(name, now[name]) != now[name]
        ),
    ]
    assert not changes, "\n".join([*changes, "if this is on purpose: make names, and a line in CHANGELOG.md"])


def test_public_names_are_few_and_sorted() -> None:
    assert len(cinema_cmr.__all__) < MAX_NAMES
    assert list(cinema_cmr.__all__) == sorted(cinema_cmr.__all__)
    assert set(cinema_cmr.__all__) == {*cinema_cmr._MODULE_OF, *cinema_cmr._PACKAGES}


def test_public_names_have_docstrings() -> None:
    assert [name for name in cinema_cmr.__all__ if not inspect.getdoc(getattr(cinema_cmr, name))] == []


@pytest.mark.medium
def test_api_page_is_current() -> None:
    script = Path(__file__).parents[1] / "docs" / "generate_api.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    write_contract()
