"""docs/five-studies.md, followed by pasting: every command with small hearts and a few updates of a small network."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from nibabel import Nifti1Image, save

from cinema_cmr.cli import main

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "five_studies.py"
COMMANDS = ("cinema ", "python ", "printf ")
SMALLER = {
    r"(--steps) \d+": r"\1 2 --preset smoke",
    r"(cinema phantom -n) 5": r"\1 3",
    r"(cinema phantom -n) 4": r"\1 2",
    r"(?<![\w-])cinema-sax(?![\w-])": "start/model",
    "benchmarks/five_studies.py": str(SCRIPT),
    r"\bSTUDY\b": "labs/held_out/patient002_ED.nii.gz --single-frame",
}
"""Patterns on the page -> what keeps a line short: a start of two updates, three hearts."""
WRONG_CODES = "cinema datasets check labs/codes"
"""The one line that the page says is refused."""


def lines_of_page() -> Iterator[str]:
    for line in (ROOT / "docs" / "five-studies.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(tuple(f"    {command}" for command in COMMANDS)):
            yield line.strip()


def write_patients(folder: Path) -> None:
    """Small hearts under the names of the challenge, for the ten patients that the script takes."""
    values = runpy.run_path(str(SCRIPT))
    x, y = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    for number, patient in enumerate((*values["PATIENTS"], *values["HELD_OUT"])):
        for frame, radius in ((1, 10.0 + number / 3), (9, 7.0 + number / 3)):
            from_lv = np.hypot(x - 36, y - 32)
            plane = np.where(np.hypot(x - 22, y - 32) < 12, 1, 0)
            plane[from_lv < 15] = 2
            plane[from_lv < radius] = 3
            labels = np.repeat(plane[..., None], 4, axis=2).astype(np.uint8)
            noise = np.random.default_rng(number).normal(0, 30, labels.shape)
            image = np.array([150, 500, 120, 550])[labels] + noise
            stem = folder / "database" / "training" / patient / f"{patient}_frame{frame:02d}"
            stem.parent.mkdir(parents=True, exist_ok=True)
            for end, array in (("", image.astype(np.float32)), ("_gt", labels)):
                save(Nifti1Image(array, np.diag([1.5, 1.5, 10.0, 1.0])), f"{stem}{end}.nii.gz")


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a line in this process, which spares most of its seconds, and return its exit code."""
    words = shlex.split(line)
    if words[0] == "cinema":
        return main(words[1:])
    if words[0] == "python":
        monkeypatch.setattr(sys, "argv", words[1:])
        runpy.run_path(words[1], run_name="__main__")
        return 0
    return subprocess.run(["bash", "-c", line], check=False).returncode


@pytest.mark.slow
def test_every_line_of_the_page_runs_after_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("SimpleITK")
    monkeypatch.chdir(tmp_path)
    write_patients(tmp_path / "ACDC")
    start = ["finetune", "--data", "ACDC/database/training", "--preset", "smoke", "--steps", "2", "-o", "start"]
    assert main(start) == 0, capsys.readouterr().err
    printed, lines = "", list(lines_of_page())
    for line in lines:
        for pattern, text in SMALLER.items():
            line = re.sub(pattern, text, line)  # noqa: PLW2901
        if "@HASH" in line:
            hashes = re.findall(r"@([0-9a-f]{8,64})", printed)
            line = line.replace("HASH", hashes[-1])  # noqa: PLW2901
        code = run(line, monkeypatch)
        said = capsys.readouterr()
        printed += said.out
        assert code == (3 if line == WRONG_CODES else 0), f"{line}\n{said.out}{said.err}"
    assert len(lines) > 20
