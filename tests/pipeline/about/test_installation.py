"""The checks of an installation find what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.pipeline.about import installation
from cinema_cmr.pipeline.about.installation import check_installation, install_command


def states() -> dict[str, tuple[str, str]]:
    return {check.name: (check.state, check.found) for check in check_installation()}


def test_this_environment_has_no_fault() -> None:
    found = states()
    assert [name for name, (state, _) in found.items() if state == "failed"] == []
    assert found["required packages"][0] == "ok" and "torch" in found["required packages"][1]
    assert found["model cinema-sax"][0] == "ok" and "a process on" in found["threads"][1]


def test_what_is_missing_or_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["numpy>=99", "absent-thing>=1", 'lightning>=2.6.5; extra == "train"', 'nothing>=1; extra == "hub"']
    monkeypatch.setattr(installation, "requires", lambda _: lines)
    found = states()
    assert found["required packages"][0] == "failed"
    assert "expected 99 or later" in found["required packages"][1] and "absent-thing" in found["required packages"][1]
    assert found["extra [hub]"] == ("absent", f"nothing is not installed: {install_command('hub')}")


def test_a_package_that_conda_names_otherwise_is_found_by_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """conda-forge's gdcm has no metadata of a python-gdcm, and `cinema doctor` tests the recipe."""
    monkeypatch.setattr(installation, "requires", lambda _: ["python-gdcm>=3.0.24"])
    monkeypatch.setattr(installation, "installed_version", lambda name: None)
    assert states()["required packages"][0] == "ok"
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    assert "python-gdcm is not installed" in states()["required packages"][1]


def test_what_pip_leaves_out_on_this_python_is_installed_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following the hint must help: an extra asked for again would leave the package out again."""
    marker = "python_version < '3.11' and extra == \"dicom\""
    lines = [f"absent-thing>=1; {marker}", 'numpy>=1; extra == "dicom"']
    monkeypatch.setattr(installation, "requires", lambda _: lines)
    by_hand = "pip install --no-deps absent-thing"
    assert states()["extra [dicom]"] == ("absent", f"absent-thing is not installed: {by_hand}")
    monkeypatch.setattr(installation, "requires", lambda _: [*lines, 'nothing>=1; extra == "dicom"'])
    assert states()["extra [dicom]"][1].endswith(f": {install_command('dicom')}, then {by_hand}")
    monkeypatch.setattr(installation, "requires", lambda _: [lines[0].replace("3.11", "99.0"), *lines[1:]])
    assert states()["extra [dicom]"][1].endswith(install_command("dicom"))


def test_damaged_weights_and_a_folder_without_room_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "file_digest", lambda _: "0" * 64)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    monkeypatch.setattr(installation, "free_memory_bytes", lambda: 5e8)
    found = states()
    assert found["model cinema-sax"][0] == found["temporary folder"][0] == found["memory"][0] == "failed"
