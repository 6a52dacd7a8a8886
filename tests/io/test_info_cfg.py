"""Height and weight from ACDC's Info.cfg, or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cinema_cmr.core.study import Subject
from cinema_cmr.io.info_cfg import read_info_cfg


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        (b"ED: 1\nHeight: 184.0\nWeight: 95\n", Subject(height_cm=184.0, weight_kg=95.0)),
        (b"Height: -170\nWeight: 99999\n", Subject()),
        (b"Height: 1e400\nWeight: nan\n\xff\xfe: x\n", Subject()),
        (b"Height: 184\n" + b"A" * (2 << 20), Subject()),
    ],
)
def test_plausible_values_are_taken(content: bytes, subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "Info.cfg").write_bytes(content)
    found, issues = read_info_cfg(tmp_path)
    assert found == subject and issues and all(issue.code == "subject-from-info-cfg" for issue in issues)


def test_a_missing_file_and_a_pipe_are_nothing(tmp_path: Path) -> None:
    assert read_info_cfg(tmp_path) == (Subject(), [])
    os.mkfifo(tmp_path / "Info.cfg")
    assert read_info_cfg(tmp_path) == (Subject(), [])
