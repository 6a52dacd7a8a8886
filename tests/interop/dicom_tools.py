"""Programs that check and read DICOM, run on a file; tests that need one are skipped where it is absent."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def tool(name: str) -> str:
    """Path of a program: beside this Python (dcmqi), or on the PATH (dicom3tools, DCMTK)."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: dicom3tools, dcmtk; PyPI: dcmqi)")
    return found


def run_tool(name: str, *arguments: str | Path) -> str:
    """Standard output and errors of a program that must succeed."""
    done = subprocess.run([tool(name), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def validation_errors(*paths: Path) -> list[str]:
    """Lines of dciodvfy that start with "Error"; a crash is one too."""
    found = []
    for path in paths:
        done = subprocess.run([tool("dciodvfy"), "-new", str(path)], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        assert lines, f"dciodvfy printed nothing for {path.name}"
        found += [f"{path.name}: {line}" for line in lines if line.startswith("Error")]
    return found
