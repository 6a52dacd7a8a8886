"""Layers, packages and what may depend on what."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from source_code import (
    PACKAGE,
    ROOT,
    SOURCES,
    at,
    imports_of,
    module_name,
    modules,
    package_of,
    place,
    tree_of,
)

LAYERS = {
    "core": 0,
    "views": 1,
    "files": 1,
    **dict.fromkeys(("io", "image", "measure", "score", "models"), 2),
    **dict.fromkeys(("phantom", "data"), 3),
    **dict.fromkeys(("datasets", "disease", "inference"), 4),
    "tasks": 5,
    "engine": 6,
    "evaluation": 7,
    **dict.fromkeys(("recipes", "report", "interop"), 8),
    "bench": 9,
}
ENTRY_POINTS = (
    "__init__",
    "__main__",
    "api",
    "displays",
    "pipeline",
    "population",
    "cli",
    "commands",
    "serve",
    "receive",
)
WITHOUT_TORCH = (
    "core",
    "files",
    "io",
    "views",
    "measure",
    "score",
    "datasets",
    "disease",
    "interop",
    "report",
    "phantom",
)
MAX_CPU_SECONDS = 2.0
"""Generous: half a second is the aim. Processor time, so that a busy machine does not fail the test."""

MAX_MODULES = 20
FOLDERS_WITHOUT_LIMIT = {"datasets/readers"}

PUBLIC_PACKAGES = {"datasets"}
"""Their `__init__.py` is an entry point: it makes public functions of what upper layers define, at their first use."""

SHARED_FILE_NAMES = {
    "axes": "the axes of a thing: of an image, of a plot",
    "body": "the patient's body",
    "card": "the model card: the type, and how a recipe fills it",
    "classify": "classes of patients",
    "deidentify": "de-identification: the function and its command",
    "compare": "two results compared: evaluations of models, and the command for two studies",
    "cohort": "a cohort of studies: of phantoms, of a population, and its command",
    "demo": "the demonstration study",
    "evaluate": "evaluation: the function and its command",
    "export": "results and models in the form of other programs: the function and its command",
    "features": "the numbers that stand for a study",
    "finetune": "fine-tuning: the recipe and its command",
    "manifest": "the table of the studies of a call",
    "worker": "a process that does the studies of another",
    "gain": "what pre-training gains",
    "header": "the header of a file of the folder's format",
    "landmark": "landmarks: the task, and the dataset of that name",
    "landmarks": "landmarks: their scores and quality checks",
    "options": "options that several modules share",
    "page": "an HTML page",
    "phantom": "the phantom: the type and its command",
    "pictures": "images for a page",
    "points": "points in space",
    "population": "many studies: prepared for training, and the command that tabulates them",
    "pretrain": "pre-training: the task, the recipe and its command",
    "pretraining": "pre-training",
    "record": "the JSON record of results",
    "registry": "the table of the folder's named things",
    "remeasure": "finished results measured again: the function and its command",
    "results": "results: their types, and their folders as a dataset",
    "run": "one run of the program",
    "scalar": "numbers and classes of whole studies",
    "scar": "late enhancement: its measurements and quality checks",
    "segment": "segmentation: the task and its command",
    "segmentation": "segmentation: its evaluation and recipes",
    "segments": "segments of the left ventricle",
    "stack": "a stack of slices",
    "study": "a study: the type, and how a format is read into it",
    "subject": "the subject of a study",
    "sweep": "a sweep over numbers of patients: the benchmark and its command",
    "weights": "weights files: in Python and on the command line",
}

TASK_DISPATCH = re.compile(r"card\.task|task ==")
MAY_NAME_TASKS = {"core/card.py", "tasks/registry.py"}


def package_imported(name: str) -> str | None:
    """Package or entry point of an imported name; None for other distributions and for the version."""
    parts = name.split(".")
    if parts[0] != "cinema_cmr" or parts[1:] == ["__version__"]:
        return None
    return parts[1] if len(parts) > 1 and parts[1] in (*LAYERS, *ENTRY_POINTS) else "__init__"


def importer_of(path: Path) -> str:
    """Package of a source file; the `__init__.py` of a public package is an entry point."""
    package = package_of(path)
    return "__init__" if place(path) == f"{package}/__init__.py" and package in PUBLIC_PACKAGES else package


def why_not(importer: str, imported: str) -> str | None:
    """Reason why a package may not import another, or None if it may."""
    if importer in ENTRY_POINTS or imported == importer:
        return None
    if imported in ENTRY_POINTS:
        return "packages do not import entry points"
    if LAYERS[imported] == LAYERS[importer]:
        return f"both on layer {LAYERS[importer]}: move what they share a layer down"
    if LAYERS[imported] > LAYERS[importer]:
        return f"upwards, from layer {LAYERS[importer]} to {LAYERS[imported]}"
    return None


def run_python(code: str) -> str:
    """Output of a fresh interpreter, without the test run's own imports."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", ["AGENTS.md", "ARCHITECTURE.md"])
def test_the_layers_are_written_down_whole(page: str) -> None:
    text = (PACKAGE.parents[1] / page).read_text(encoding="utf-8").partition("## Layers")[2].partition("\n## ")[0]
    words = set(re.findall(r"[a-z]+", text))
    assert sorted({*LAYERS, *(name for name in ENTRY_POINTS if "_" not in name)} - words) == []


def test_every_package_has_a_layer() -> None:
    unplaced = sorted({package_of(path) for path in SOURCES} - {*LAYERS, *ENTRY_POINTS})
    assert unplaced == [], "give them a layer in tests/test_architecture.py and in ARCHITECTURE.md"


@pytest.mark.medium
def test_imports_only_go_to_lower_layers() -> None:
    offences = []
    for path in SOURCES:
        for line, name in imports_of(path):
            imported = package_imported(name)
            reason = why_not(importer_of(path), imported) if imported else None
            if reason:
                offences.append(at(path, line, f"imports {name}: {reason}"))
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
def test_the_rule_for_imports(importer: str, imported: str, allowed: bool) -> None:
    assert (why_not(importer, imported) is None) == allowed


def test_relative_and_late_imports_are_found(tmp_path: Path) -> None:
    path = tmp_path / "cinema_cmr" / "io" / "nifti.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from . import dicom\nfrom ..engine import trainer\n"
        "def later():\n    import cinema_cmr.report.build\n    importlib.import_module('cinema_cmr.tasks')\n"
    )
    assert sorted(name for _, name in imports_of(path, tmp_path / "cinema_cmr")) == [
        "cinema_cmr.engine.trainer",
        "cinema_cmr.io.dicom",
        "cinema_cmr.report.build",
        "cinema_cmr.tasks",
    ]


def test_packages_without_torch_do_not_import_it() -> None:
    offences = [
        at(path, line, f"imports {name}")
        for path in SOURCES
        if package_of(path) in WITHOUT_TORCH
        for line, name in imports_of(path)
        if name.split(".")[0] in ("torch", "monai", "lightning")
    ]
    assert not offences, "\n".join(offences)


@pytest.mark.medium
def test_packages_without_torch_do_not_load_it() -> None:
    names = [module_name(path) for path in SOURCES if package_of(path) in WITHOUT_TORCH]
    imported = run_python("\n".join(["import sys", *(f"import {name}" for name in names), "print(*sys.modules)"]))
    assert "torch" not in imported.split()


HELP = "from cinema_cmr.cli import main\nsys.argv = ['cinema', '--help']\ntry: main()\nexcept SystemExit: pass"


@pytest.mark.parametrize("code", ["import cinema_cmr.datasets", HELP], ids=["import", "help"])
def test_entry_points_load_quickly(code: str) -> None:
    heavy = ["torch", "lightning", "monai", "matplotlib", "nibabel", "pydicom", "scipy"]
    report = f"print(json.dumps([[name for name in {heavy} if name in sys.modules], time.process_time()]))"
    printed = run_python(f"import json, sys, time\n{code}\n{report}")
    imported, seconds = json.loads(printed.splitlines()[-1])
    assert imported == []
    assert seconds < MAX_CPU_SECONDS


def test_folders_are_small() -> None:
    counts = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in modules())
    offences = [
        f"{folder} has {count} modules; expected at most {MAX_MODULES}"
        for folder, count in counts.items()
        if folder not in FOLDERS_WITHOUT_LIMIT and count > MAX_MODULES
    ]
    assert not offences, "\n".join(offences)


def test_three_siblings_with_a_prefix_are_a_package() -> None:
    siblings = Counter((path.parent, path.stem.split("_")[0]) for path in modules())
    names = {f"{place(folder)}/{prefix}" for (folder, prefix), count in siblings.items() if count >= 3}
    assert not names, "make packages of them"


def test_a_file_name_has_one_meaning() -> None:
    places = defaultdict(list)
    for path in modules():
        places[path.stem].append(place(path))
    repeated = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in SHARED_FILE_NAMES}
    assert not repeated, "rename them, or add their common meaning to SHARED_FILE_NAMES"


def test_only_the_registry_and_the_card_depend_on_task_names() -> None:
    offences = [
        at(path, number, line.strip())
        for path in modules()
        if place(path) not in MAY_NAME_TASKS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if TASK_DISPATCH.search(line)
    ]
    assert not offences, "\n".join(offences)


def test_package_files_are_empty() -> None:
    public = {PACKAGE, *(PACKAGE / name for name in PUBLIC_PACKAGES)}
    inits = [path for path in SOURCES if path.stem == "__init__" and path.parent not in public]
    assert [str(path.relative_to(ROOT)) for path in inits if tree_of(path).body] == []
