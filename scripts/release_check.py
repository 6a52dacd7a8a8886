"""Walk the release checklist: versions, changelog, schemas, reference pages, and wheels tested in new environments.

    python scripts/release_check.py                       the checks that only read
    python scripts/release_check.py --build               build wheel and source archive too, and check what they hold
    python scripts/release_check.py --build --pythons python3.11 python3.12      and install and test each there
    python scripts/release_check.py --build --extras      and resolve every extra on Python 3.11 to 3.14
    ... --record FILE      and keep the checklist as JSON

A new environment is made for each interpreter, one at a time, and removed again: the wheel is installed, tested by
`cinema doctor` and uninstalled, which must leave nothing, then the same with the source archive. Extras are resolved by
`pip install --dry-run` with the newest releases that pip is offered, without the pins of constraints.txt. pip judges
markers by the interpreter that runs it, so those of the wheel are judged here, for each version of Python.

Exit code 1 if a check fails. From 0.2.0 on versions are semantic: what is removed or changed in meaning raises the
second number (the first from 1.0.0 on), and CHANGELOG.md has it under "Deprecated" one version before.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)((a|b|rc)\d+)?")
MAX_WHEEL_MB = 60.0
RESOLVED_FOR = ("3.11", "3.12", "3.13", "3.14")
"""Versions of Python that the extras are resolved for; those of the classifiers in pyproject.toml."""
CITATION_KEYS = ("cff-version", "message", "title", "authors", "version", "license", "type")


class Check(NamedTuple):
    """One line of the checklist."""

    name: str
    passed: bool
    found: str
    seconds: float = 0.0


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


def build_checks(pythons: list[str], *, extras: bool) -> Iterator[Check]:
    """Yield the checks of a fresh build, of its installation by each interpreter, and of its extras."""
    with tempfile.TemporaryDirectory(prefix="cinema-release-") as folder:
        home = Path(folder)
        built = run(sys.executable, "-m", "build", "--outdir", folder, str(ROOT))
        wheels, archives = sorted(home.glob("*.whl")), sorted(home.glob("*.tar.gz"))
        is_complete = built.returncode == 0 and len(wheels) == len(archives) == 1
        yield Check("build", is_complete, "wheel and source archive" if is_complete else built.stderr[-300:])
        if not is_complete:
            return
        yield from content_checks(wheels[0], archives[0])
        for python in pythons:
            yield from installation_checks(python, (wheels[0], archives[0]), home)
        if extras:
            yield from extra_checks(wheels[0], home)


def content_checks(wheel: Path, archive: Path) -> Iterator[Check]:
    """Yield the checks of what wheel and source archive hold."""
    size_mb = wheel.stat().st_size / 1e6
    yield Check("wheel size", size_mb <= MAX_WHEEL_MB, f"{size_mb:.1f} MB, at most {MAX_WHEEL_MB:g}")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("cinema_cmr/")}
    weights = [name for name in packed if name.endswith("weights.safetensors")]
    yield Check("weights in the wheel", len(weights) >= 5, f"{len(weights)} models")
    with tarfile.open(archive) as source:
        stored = {name.partition("/src/")[2] for name in source.getnames()}
    lacking = sorted(packed - stored)
    yield Check(
        "source archive", not lacking, f"lacks {', '.join(lacking[:3])}" if lacking else "all that the wheel has"
    )


def installation_checks(python: str, packages: tuple[Path, ...], home: Path) -> Iterator[Check]:
    """Yield a check of each package in one new environment of an interpreter, which is removed at the end."""
    place = home / "environment"
    made = run(python, "-m", "venv", str(place))
    if made.returncode:
        yield Check(f"{python}: environment", False, last_words(made))
        return
    version = run(str(place / "bin" / "python"), "-V").stdout.strip()
    for package in packages:
        begun = time.monotonic()
        kind = "wheel" if package.suffix == ".whl" else "source archive"
        failure = installed(place, package)
        found = failure or "cinema doctor green, uninstalled without a remainder"
        yield Check(f"{version}: {kind}", not failure, found, round(time.monotonic() - begun, 1))
    shutil.rmtree(place)


def installed(place: Path, package: Path) -> str:
    """Install a package, run `cinema doctor` and uninstall it; return what went wrong, or nothing."""
    pip = (str(place / "bin" / "python"), "-m", "pip")
    steps = (
        (*pip, "install", "-q", "--no-cache-dir", "-c", str(ROOT / "constraints.txt"), str(package)),
        (str(place / "bin" / "cinema"), "doctor"),
        (*pip, "uninstall", "-q", "-y", "cinema-cmr"),
    )
    (place / "home").mkdir(exist_ok=True)
    for step in steps:
        done = run(*step, cwd=place, **({} if "pip" in step else {"HOME": str(place / "home")}))
        if done.returncode:
            return f"{' '.join(step[:4])}: {last_words(done)}"
    left = sorted(path.relative_to(place).as_posix() for path in place.rglob("*cinema*"))
    return f"uninstalling left {', '.join(left[:3])}" if left else ""


def extra_checks(wheel: Path, home: Path) -> Iterator[Check]:
    """Yield a check of each version of Python: every extra resolves with the newest releases that pip is offered."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [name for name in project["optional-dependencies"] if name != "dev"]
    for version in RESOLVED_FOR:
        begun = time.monotonic()
        report, failure = resolved(requirements(wheel, names, version), version, home)
        failed = [f"together ({failure})"] if failure else []
        if failure:
            alone = {name: resolved(requirements(wheel, [name], version), version, home)[1] for name in names}
            failed += [f"{name} ({why})" for name, why in alone.items() if why]
        torch = report.get("torch", "unknown")
        found = f"not {'; '.join(failed)}" if failed else f"{len(names)} extras, torch {torch}"
        yield Check(f"extras on Python {version}", not failed, found, round(time.monotonic() - begun, 1))


def requirements(wheel: Path, extras: list[str], version: str) -> list[str]:
    """Return what a wheel and its extras require on a version of Python, without markers."""
    from packaging.requirements import Requirement

    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    found = []
    for one in map(Requirement, lines):
        settings = (
            {"python_version": version, "python_full_version": f"{version}.0", "extra": e} for e in ["", *extras]
        )
        if one.marker is None or any(map(one.marker.evaluate, settings)):
            one.marker = None
            found.append(str(one))
    return found


def resolved(wanted: list[str], version: str, home: Path) -> tuple[dict[str, str], str]:
    """Resolve requirements for a version of Python; return versions by name, and the reason where it fails."""
    report = home / "resolved.json"
    report.unlink(missing_ok=True)
    words = ("install", "-q", "--dry-run", "--ignore-installed", "--only-binary=:all:", "--python-version", version)
    target = ("--target", str(home / "nothing"), "--report", str(report))
    done = run(sys.executable, "-m", "pip", *words, *target, *wanted)
    if done.returncode:
        return {}, last_words(done)
    entries = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {entry["metadata"]["name"]: entry["metadata"]["version"] for entry in entries}, ""


def run(*command: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without this checkout on its path, and keep what it prints."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | variables
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=outside)


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a failed command printed as its first error, or else its last line."""
    lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors[0] if errors else lines[-1])[:300]


def main(words: list[str] | None = None) -> int:
    """Print the checklist; return 1 if a line failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="store_true", help="build and check the wheel and the source archive")
    parser.add_argument("--pythons", nargs="+", default=[], help="interpreters to install and test with; need --build")
    parser.add_argument("--extras", action="store_true", help="resolve the extras on Python 3.11 to 3.14; need --build")
    parser.add_argument("--record", type=Path, help="JSON file for the checklist")
    given = parser.parse_args(words)
    if (given.pythons or given.extras) and not given.build:
        parser.error("--pythons and --extras test what was built: add --build")
    checks = list(printed(read_checks()))
    if given.build:
        checks += printed(build_checks(given.pythons, extras=given.extras))
    if given.record:
        record = {"version": project_version(), "checks": [check._asdict() for check in checks]}
        given.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0 if all(check.passed for check in checks) else 1


def printed(checks: Iterator[Check]) -> Iterator[Check]:
    """Print each check as it is made."""
    for check in checks:
        print(f"{'ok' if check.passed else 'FAILED':<7}{check.name}: {check.found}", flush=True)
        yield check


if __name__ == "__main__":
    sys.exit(main())
