"""Checks of a disease model: the bundled one passes, broken ones fail without raising."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.disease.model import DISEASE_FILE, EMBEDDED_DISEASE_MODEL
from cinema_cmr.disease.verify import is_disease_model, verify_disease_model


def test_the_bundled_model_passes_every_check() -> None:
    checks = verify_disease_model(EMBEDDED_DISEASE_MODEL)
    assert [check.name for check in checks] == ["hash", "finite", "licence", "output"]
    assert all(check.passed for check in checks), checks


def test_a_broken_file_is_a_failed_check(tmp_path: Path) -> None:
    (tmp_path / DISEASE_FILE).write_text("{}", encoding="utf-8")
    (check,) = verify_disease_model(str(tmp_path))
    assert not check.passed and check.name == "loads"


@pytest.mark.parametrize(("source", "expected"), [(EMBEDDED_DISEASE_MODEL, True), ("cinema-sax", False)])
def test_disease_models_are_told_from_others_by_name(source: str, expected: bool) -> None:
    assert is_disease_model(source) == expected
