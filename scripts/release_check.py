"""Walk the release checklist: versions, changelog, schemas, reference pages, and wheels tested in new environments.

    python scripts/release_check.py                       the checks that only read
    python scripts/release_check.py --build               build wheel and source archive too, and check what they hold
    python scripts/release_check.py --build --python python3.12 --python python3.13      and install and test each there

Exit code 1 if a check fails. From 0.2.0 on versions are semantic: what is removed or changed in meaning raises the
second number (the first from 1.0.0 on), and CHANGELOG.md has it under "Deprecated" one version before.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)((a|b|rc)\d+)?")
MAX_WHEEL_MB = 60.0
CITATION_KEYS = ("cff-version", "message", "title", "authors", "version", "license", "type")


class Check(NamedTuple):
    """One line of the checklist."""

    name: str
    passed: bool
    found: str


def project_version() -> str:
    """Return the version of pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def read_checks() -> Iterator[Check]:
    """Yield the checks that need no build."""
    version = project_version()
    yield Check("version", VERSION.fullmatch(version) is not None, f"{version}; expected MAJOR.MINOR.PATCH")
    citation = citation_values()
    missing = [key for key in CITATION_KEYS if not citation.get(key)]
    yield Check("CITATION.cff keys", not missing, f"missing: {', '.join(missing)}" if missing else "all there")
    cited = str(citation.get("version"))
    yield Check("CITATION.cff version", cited == version, f"{cited}; expected {version}")
    recipe = (ROOT / "packaging" / "conda" / "meta.yaml").read_text(encoding="utf-8")
    yield Check("conda recipe version", f'set version = "{version}"' in recipe, f"expected {version}")
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    yield Check("changelog", heads[:1] == [version], f"its first section is {heads[:1]}; expected {version}")
    yield from schema_checks()


def citation_values() -> dict[str, object]:
    """Return the top-level keys of CITATION.cff."""
    import yaml

    values = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return values if isinstance(values, dict) else {}


def schema_checks() -> Iterator[Check]:
    """Yield the checks of schema versions: the file, the types and the description agree."""
    from cinema_cmr.core.card_json import CARD_VERSION
    from cinema_cmr.report.record.schema import SCHEMA_FILE, schema_text
    from cinema_cmr.report.record.study_record import SCHEMA_VERSION

    stored = SCHEMA_FILE.read_text(encoding="utf-8")
    yield Check(
        "measurements schema", stored == schema_text(), "as generated: python -m cinema_cmr.report.record.schema"
    )
    stated = json.loads(stored)
    yield Check("schema version", SCHEMA_VERSION in json.dumps(stated), f"{SCHEMA_VERSION} stands in the schema")
    cards = sorted((ROOT / "src" / "cinema_cmr" / "weights").glob("*/card.json"))
    versions = {json.loads(card.read_text(encoding="utf-8")).get("card_version") for card in cards}
    yield Check("card version", versions == {CARD_VERSION}, f"bundled cards have {versions}; expected {CARD_VERSION}")


def build_checks(pythons: list[str]) -> Iterator[Check]:
    """Yield the checks of a fresh build, and of its installation by each interpreter."""
    with tempfile.TemporaryDirectory(prefix="cinema-release-") as home:
        built = subprocess.run(
            [sys.executable, "-m", "build", "--outdir", home, str(ROOT)], capture_output=True, text=True, check=False
        )
        wheels, archives = sorted(Path(home).glob("*.whl")), sorted(Path(home).glob("*.tar.gz"))
        yield Check(
            "build", built.returncode == 0 and len(wheels) == len(archives) == 1, built.stderr[-300:] or "built"
        )
        if not wheels:
            return
        size_mb = wheels[0].stat().st_size / 1e6
        yield Check("wheel size", size_mb <= MAX_WHEEL_MB, f"{size_mb:.1f} MB, at most {MAX_WHEEL_MB:g}")
        names = zipfile.ZipFile(wheels[0]).namelist()
        weights = [name for name in names if name.endswith("weights.safetensors")]
        yield Check("weights in the wheel", len(weights) >= 5, f"{len(weights)} models")
        for python in pythons:
            yield installed(python, wheels[0], Path(home))


def installed(python: str, wheel: Path, home: Path) -> Check:
    """Install the wheel into a new environment and run `cinema doctor` there."""
    place = home / f"env-{Path(python).name}"
    commands = [
        [python, "-m", "venv", str(place)],
        [str(place / "bin" / "pip"), "install", "-q", "-c", str(ROOT / "constraints.txt"), str(wheel)],
        [str(place / "bin" / "cinema"), "doctor"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home)
        if done.returncode:
            return Check(
                f"installed by {python}", False, f"{' '.join(command[:3])}: {(done.stderr or done.stdout)[-300:]}"
            )
    return Check(f"installed by {python}", True, "cinema doctor: all is well")


def main(words: list[str] | None = None) -> int:
    """Print the checklist; return 1 if a line failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="store_true", help="build and check the wheel and the source archive")
    parser.add_argument("--python", action="append", default=[], help="interpreter to install and test with")
    given = parser.parse_args(words)
    passed = True
    checks = [read_checks(), build_checks(given.python)] if given.build else [read_checks()]
    for check in (check for source in checks for check in source):
        print(f"{'ok' if check.passed else 'FAILED':<7}{check.name}: {check.found}", flush=True)
        passed = passed and check.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
