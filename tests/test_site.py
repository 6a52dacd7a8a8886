"""The documentation: generated pages are current, links lead somewhere, commands parse, code runs, the site builds."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cinema_cmr.cli import _config_first, _current_words
from cinema_cmr.commands.command_table import COMMANDS, command_parser, current_name
from cinema_cmr.measure.quality.flag_catalogue import FLAGS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
WRITTEN = [page for page in PAGES if page.name not in ("api.md", "commands.md", "LOG.md", "CHANGELOG.md", "study.md")]
"""Pages with examples that are to be pasted; not the generated reference, nor the notes of past experiments."""
NOT_RUN = {
    "docs/python.md": "tests/test_python_page.py runs its blocks, two excepted; tests/test_api.py runs the twins",
    "docs/add-a-dataset.md": "tests/datasets/test_registry.py runs it as a file of its own",
    "README.md": "needs a study of the reader's; tests/test_api.py runs the same calls on tiny hearts",
    "docs/correct.md": "needs results of the demo study; tests/pipeline/test_remeasure.py runs the same calls",
    "docs/compare-results.md": "needs results of the demo study; tests/test_api.py runs the same calls",
    "docs/encoder.md": "test_pages_can_be_pasted runs it with the commands before it",
    "docs/dicom.md": "a reply of another program, and a shell transcript",
}
"""Page -> why its Python blocks are not executed here; they are compiled."""
PASTED: dict[str, dict[str, Any]] = {
    "encoder.md": {"replace": {"--steps 20": "--steps 4", "-n 10": "-n 6"}},
    "first-report.md": {
        "skip": ("cinema serve",),  # a server does not end; tests/serve starts it
        "replace": {"--format dicom": "--frames 8 --format dicom"},
    },
}
"""Tutorials whose every block is pasted in order -> lines left out, and words that make the others shorter."""
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*")


def lines_of(page: Path) -> list[str]:
    """Lines of the page's code blocks and inline code that begin with `cinema COMMAND`, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^ {4}(cinema .*)$", text, flags=re.M)
    for block in re.findall(r"```(?:bash|sh|shell|console)?\n(.*?)```", text, flags=re.S):
        blocks += re.findall(r"^\$? ?(cinema .*)$", block, flags=re.M)
    return blocks


def command_lines() -> list[tuple[str, str]]:
    return [(page.relative_to(ROOT).as_posix(), line) for page in WRITTEN for line in lines_of(page)]


def words_of(line: str) -> list[str]:
    """Words of a pasted line up to a pipe, redirection or remark."""
    plain = re.split(r" {2,}(?=\S)|\s[|;&>#2]", line)[0]
    return shlex.split(plain.replace("...", "").replace("$(", "(").replace("[", "").replace("]", ""))[1:]


@pytest.mark.parametrize(("page", "line"), command_lines(), ids=lambda value: str(value)[:60])
def test_every_command_of_the_pages_parses(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = words_of(line)
    assert words, line
    name = current_name(words[0])
    if name.startswith("-") or name in ("COMMAND",):
        return
    assert name in COMMANDS, f"{page}: {line}"
    known = {word for action in command_parser(name)._actions for word in action.option_strings}
    used = {word.split("=")[0] for word in _config_first(_current_words(name, words[1:])) if word.startswith("--")}
    assert used <= known, f"{page}: {line}: unknown {sorted(used - known)}"


def test_pages_have_commands_to_paste() -> None:
    assert len(command_lines()) > 40


def test_a_remark_after_a_command_can_be_pasted_with_it() -> None:
    """Without a # its words are arguments: `make demo   makes ...` ended with "No rule to make target 'makes'"."""
    line = re.compile(r"^(?: {4})?((?:\.venv/bin/)?(?:cinema|make|python|pip) \S.*? {2,}(?=[^ #]).*)$", flags=re.M)
    assert {page.name: found for page in WRITTEN if (found := line.findall(page.read_text(encoding="utf-8")))} == {}


def test_what_is_pasted_to_install_needs_no_package_index() -> None:
    """The package is not on PyPI: its name installs an extra of what is there, but nothing in a new environment."""
    block = re.compile(r"^ {4}\S[^\n]*$|```(?:bash|sh)?\n.*?```", flags=re.M | re.S)
    blocks = [(page.name, text) for page in WRITTEN for text in block.findall(page.read_text(encoding="utf-8"))]
    assert len(blocks) > 100
    assert [found for found in blocks if re.search(r"pip install '?cinema-cmr", found[1])] == []


def python_blocks() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        if page.name not in ("api.md", "LOG.md"):
            blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
            found += [(page.relative_to(ROOT).as_posix(), block) for block in blocks]
    return found


def test_every_python_block_runs_or_has_a_reason() -> None:
    """No page has a block that is neither run nor named with its reason; all compile, apart from signatures."""
    assert {page for page, _ in python_blocks()} <= set(NOT_RUN)
    for page, block in python_blocks():
        if "->" not in block.split("\n")[0]:
            compile(block, page, "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)", text)
    broken = [target for target in targets if ":" not in target and not (page.parent / target).exists()]
    assert broken == []


def test_flags_of_the_results_page_are_in_the_catalogue() -> None:
    text = (DOCS / "results.md").read_text(encoding="utf-8").split("## Flags")[1].split("## Exit codes")[0]
    named = {
        code
        for row in text.splitlines()
        if row.startswith("| `")
        for code in re.findall(r"`([\w-]+)`", row.split("|")[1])
    }
    listed = {flag.code for flag in FLAGS}
    assert len(named) > 35 and sorted(named - listed) == []


@pytest.mark.medium
def test_the_generated_reference_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate_reference.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_flag_has_a_picture_or_a_reason_why_not() -> None:
    pictures = {path.stem: path.stat().st_size for path in (DOCS / "pictures" / "flags").glob("*.webp")}
    page = (DOCS / "flags.md").read_text(encoding="utf-8")
    assert len(pictures) >= 29 and sum(pictures.values()) < 2e6
    assert set(re.findall(r"^### (\S+)$", page, flags=re.M)) == set(pictures)
    cells = {row.split("|")[1].strip(" `"): row.split("|")[-2].strip() for row in page.splitlines() if row[:3] == "| `"}
    assert set(cells) == {flag.code for flag in FLAGS}
    linked = {code: re.search(r"#([\w-]+)\)", cell) for code, cell in cells.items()}
    assert all(link[1] in pictures if link else cells[code].startswith("none: ") for code, link in linked.items())


@pytest.mark.slow
def test_the_site_builds_strictly_and_needs_no_network(tmp_path: Path) -> None:
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?:[^\"\s>]+)", text)
        assert [address for address in loaded if "canonical" not in address] == [], page.name


def numbers(text: str) -> list[float]:
    """Numbers of a printed line, in its order."""
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


@pytest.mark.slow
@pytest.mark.parametrize("page", PASTED)
def test_pages_can_be_pasted(page: str, tmp_path: Path, pasted_page: ModuleType) -> None:
    """Each command of a tutorial runs after those before it, as a reader pastes them."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    lines = list(pasted_page.paste(DOCS / page, tmp_path, **PASTED[page], variables={"PATH": path}))
    assert len(lines) >= 6
    shown = re.findall(r"^ {4}demo_study: (.*)$", (DOCS / page).read_text(encoding="utf-8"), flags=re.M)
    for expected in shown:  # the last digit depends on the processor's precision
        (found,) = re.findall(r"^demo_study: (LVEF.*)$", lines[0].printed, flags=re.M)
        assert numbers(found) == pytest.approx(numbers(expected), abs=1.1)


def test_blocks_of_a_page_are_told_from_what_programs_print(pasted_page: ModuleType) -> None:
    shell = "\n    pip install x\n    cinema a \\\n      --b   remark\n\nprints\n\n    cinema-like: 3\n"
    page = f"{shell}\n```python\nx = 1\n```\n"
    assert list(pasted_page.pasteable(page)) == [("cinema a --b", False), ("x = 1\n", True)]


def test_a_line_that_fails_ends_the_pasting(pasted_page: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("    python -c 'raise SystemExit(3)'\n\n    python -c 'print(FOLDER)'\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="exit code 3"):
        list(pasted_page.paste(page, tmp_path))
    lines = list(pasted_page.paste(page, tmp_path, fails=("SystemExit(3)'",), replace={"FOLDER": "7"}))
    assert [(line.exit_code, line.printed) for line in lines] == [(3, ""), (0, "7\n")]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", sorted((DOCS / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_notebooks_run(notebook: Path, tmp_path: Path) -> None:
    code = f"import matplotlib, runpy; matplotlib.use('agg'); runpy.run_path({str(notebook)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
