"""The release checklist passes for what only reads, and CITATION.cff has what a citation needs."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import jinja2
import pytest
import yaml

from cinema_cmr.commands.command_table import COMMANDS, command_parser

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def checklist() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", ROOT / "scripts" / "release_check.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_checks_that_only_read_pass(checklist: ModuleType) -> None:
    assert [check for check in checklist.read_checks() if not check.passed] == []


def test_a_forgotten_version_is_found(checklist: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checklist, "project_version", lambda: "9.9.9")
    failed = {check.name for check in checklist.read_checks() if not check.passed}
    assert failed == {"CITATION.cff version", "conda recipe version", "changelog"}
    monkeypatch.setattr(checklist, "project_version", lambda: "1.2")
    assert "version" in {check.name for check in checklist.read_checks() if not check.passed}


def test_markers_are_judged_for_the_version_of_python_that_is_resolved(checklist: ModuleType, tmp_path: Path) -> None:
    """pip judges them by the interpreter that runs it: an extra that leaves a package out on 3.14 failed for it."""
    marker = "python_version < '3.14' and extra == 'dicom'"
    lines = ["numpy>=1.26", f"highdicom>=0.27; {marker}", 'requests; extra == "dicom"', 'ray; extra == "ray"']
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", "".join(f"Requires-Dist: {line}\n" for line in lines))
    assert checklist.requirements(wheel, ["dicom"], "3.13") == ["numpy>=1.26", "highdicom>=0.27", "requests"]
    assert checklist.requirements(wheel, ["dicom"], "3.14") == ["numpy>=1.26", "requests"]
    assert checklist.requirements(wheel, ["ray"], "3.14") == ["numpy>=1.26", "ray"]


def test_the_container_runs_offline_as_an_ordinary_user() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER (?!root)", text, flags=re.M) and 'ENTRYPOINT ["cinema"]' in text
    for extra in ("dicom", "formats", "web"):  # also those of `cinema serve-dicom` and `cinema serve`
        assert re.search(rf"\[[a-z,]*\b{extra}\b[a-z,]*\]", text), extra
    assert "HF_HUB_OFFLINE=1" in text and "-c /wheels/constraints.txt" in text
    copied = [name for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, flags=re.M) for name in line.split()]
    assert all((ROOT / name).exists() for name in copied), copied


def test_the_container_has_what_its_lines_name() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    copied = [name for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, flags=re.M) for name in line.split()]
    assert copied and not set(copied) & set(ignored)
    assert {"README.md", "LICENSE", "src"} <= set(copied)  # what the build of a wheel reads
    (extras,) = re.findall(r"\.whl\)\[([a-z,]+)\]", text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    versions = re.findall(r"^FROM python:(\d+\.\d+)-slim", text, flags=re.M)
    classified = [one.rsplit(" ", 1)[1] for one in project["classifiers"] if "Python :: 3." in one]
    assert len(versions) == 2 and len(set(versions)) == 1 and versions[0] in classified
    calls = re.findall(r"cinema-cmr ([a-z-]+) (.*)$", text, flags=re.M)
    calls += [(json.loads(words)[0], "") for words in re.findall(r"^CMD (.*)$", text, flags=re.M)]
    assert len(calls) == 3
    runs = re.findall(r"docker run .*", text + (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"))
    assert len(runs) == 4 and all("--user" in run for run in runs)  # or /out belongs to another, and is not writable
    assert "MPLCONFIGDIR=/var/tmp/" in text  # nor is the home of the image's own user
    for name, words in calls:
        known = {option for action in command_parser(name)._actions for option in action.option_strings}
        assert {word for word in words.split() if word.startswith("-")} <= known, name


def test_the_conda_recipe_requires_what_the_project_requires() -> None:
    text = (ROOT / "packaging" / "conda" / "meta.yaml").read_text(encoding="utf-8")
    recipe = yaml.safe_load(jinja2.Template(text, undefined=jinja2.StrictUndefined).render(PYTHON="python"))
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = pyproject["project"]
    assert (ROOT / "packaging" / "conda" / recipe["source"]["path"]).resolve() == ROOT
    assert recipe["package"] == {"name": project["name"], "version": project["version"]}
    assert recipe["about"]["license"] == project["license"] and (ROOT / recipe["about"]["license_file"]).exists()
    assert recipe["build"]["entry_points"] == [f"{name} = {where}" for name, where in project["scripts"].items()]
    bounds = {_conda_name(one): one.partition(">=")[2] for one in project["dependencies"]}
    stated = dict(one.partition(" >=")[::2] for one in recipe["requirements"]["run"])
    assert stated.pop("python") == project["requires-python"].removeprefix(">=")
    assert stated.pop("typeshed_client") == ""  # of jsonargparse[signatures], as is docstring_parser
    assert stated == bounds
    assert "setuptools >=77" in recipe["requirements"]["host"]
    assert pyproject["build-system"]["requires"] == ["setuptools>=77"]
    assert {words.split()[1] for words in recipe["test"]["commands"]} <= set(COMMANDS)


def _conda_name(requirement: str) -> str:
    """Name of a package on conda-forge."""
    name = re.split(r"[\[>]", requirement)[0]
    others = {"python-gdcm": "gdcm", "torch": "pytorch", "msgspec": "msgspec-python", "matplotlib": "matplotlib-base"}
    return others.get(name, name).lower()


def test_agents_are_given_commands_that_exist() -> None:
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    assert {name for name in re.findall(r"make ([a-z-]+)", text)} <= targets
    files = re.findall(r"`?((?:docs|tests)/[\w/]+\.py)", text)
    assert files and all((ROOT / name).exists() for name in files if "PACKAGE" not in name)
    assert len(text.split()) < 600
