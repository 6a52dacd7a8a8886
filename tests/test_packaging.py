"""What is delivered: declared dependencies, scripts, a complete wheel, no data, no path of a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SIBLINGS = {path.stem for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")}
"""Modules that files beside them import by their bare name."""
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "PIL": "pillow",
    "gdcm": "python-gdcm",
    "sklearn": "scikit-learn",
    "fhir": "fhir.resources",
}
"""Distributions whose import has another name."""
SCANS_AND_PICKLES = re.compile(
    r"\.(dcm|ima|nii|nii\.gz|mha|mhd|nrrd|h5|npy|npz|pt|pth|pkl|ckpt|b2nd|zip)$", re.IGNORECASE
)
EMBEDDED_STUDY = "src/cinema_cmr/phantom/demo_study.zip"
"""The demo's synthetic study is the only archive that belongs here."""
MACHINE_PATH = re.compile(r"(?<![\w.-])/(work|root|farm|tmp)/")


def repository_files() -> list[Path]:
    """Files that git tracks, or would if they were added; skips where there is no checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@cache
def declared() -> set[str]:
    """Distributions that pyproject.toml names, in the core or in an extra, in lower case."""
    project = PYPROJECT["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    names = (re.split(r"[\[<>=!~; ]", requirement)[0] for requirement in [*project["dependencies"], *extras])
    return {name.lower().replace("_", "-") for name in names}


def third_party(path: Path) -> set[str]:
    """Top-level names that a file imports from elsewhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"cinema_cmr", "_typeshed", *SIBLINGS}


@pytest.mark.medium
def test_every_import_is_declared() -> None:
    files = [path for folder in ("src", "tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    offences = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in sorted(third_party(path))
        if DISTRIBUTIONS.get(name, name).lower().replace("_", "-") not in declared()
    ]
    hint = "declare the distribution in pyproject.toml (and in DISTRIBUTIONS if it has another name)"
    assert not offences, "\n".join([*offences, hint])


def test_constraints_pin_every_declared_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    inexact = [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.!]+", line)]
    assert inexact == [], "exact public versions only"
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in pins}
    assert declared() - pinned - {PYPROJECT["project"]["name"]} == set()


@pytest.mark.parametrize("target", PYPROJECT["project"]["scripts"].values())
def test_console_scripts_point_somewhere(target: str) -> None:
    module, function = target.split(":")
    path = SOURCE / f"{module.replace('.', '/')}.py"
    assert path.exists(), f"{target}: no {path.relative_to(ROOT)}"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert function in [node.name for node in body if isinstance(node, ast.FunctionDef)]


def test_no_scan_and_no_pickle_is_in_the_repository() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in repository_files()]
    data = [name for name in names if SCANS_AND_PICKLES.search(name)]
    assert [name for name in data if name != EMBEDDED_STUDY] == []


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    offences: list[str] = []
    for path in repository_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found = (
            f"{path.relative_to(ROOT)}:{i} {line.strip()[:80]}"
            for i, line in enumerate(lines, 1)
            if MACHINE_PATH.search(line)
        )
        offences.extend(found)
    assert not offences, "\n".join(offences)


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_data_file(tmp_path: Path) -> None:
    """Built from a copy, so that what an earlier build left here can neither hide nor add a file."""
    files = [path.relative_to(ROOT) for path in repository_files()]
    for name in files:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes((ROOT / name).read_bytes())
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, *build, "-w", "out", "./tree"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {name.relative_to("src").as_posix() for name in files if name.parts[:2] == ("src", "cinema_cmr")}
    assert packed == wanted


@pytest.mark.medium
def test_benchmarks_use_names_that_exist() -> None:
    scripts = sorted((ROOT / "benchmarks").glob("*.py"))
    lines = [f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r})"]
    lines += [f"runpy.run_path({str(script)!r}, run_name='imported')" for script in scripts]
    code = "\n".join(["import runpy, sys", *lines])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
