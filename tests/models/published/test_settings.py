"""Published YAML files, and typed access to their settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.published.settings import Settings, read_config

SETTINGS = Settings({"data": {"name": "acdc", "sizes": [192, 192.0], "empty": None}, "views": "sax", "classes": ["a"]})


def test_settings_are_found_by_their_place() -> None:
    assert SETTINGS.text("data.name") == "acdc" and SETTINGS.find("data.name.more") is None
    assert SETTINGS.integers("data.sizes") == (192, 192)
    assert SETTINGS.names("views") == ("sax",) and SETTINGS.names("classes") == ("a",)


def test_defaults_stand_in_for_missing_settings_and_null() -> None:
    assert SETTINGS.number("data.empty", 0.5) == 0.5 and SETTINGS.integer("data.frames", 1) == 1
    assert SETTINGS.text("task", "pretrain") == "pretrain"


def test_missing_and_ill_typed_settings_are_named() -> None:
    with pytest.raises(UsageError, match=r"lacks data\.empty"):
        SETTINGS.value("data.empty")
    with pytest.raises(UsageError, match=r"data\.name is 'acdc'; expected a number"):
        SETTINGS.number("data.name")
    with pytest.raises(UsageError, match=r"data\.name is 'acdc'; expected a list of numbers"):
        SETTINGS.numbers("data.name")


@pytest.mark.parametrize(("text", "told"), [("- a\n", "holds a list"), ("a: [", "is not YAML")])
def test_files_without_a_mapping_are_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(WeightsError, match=told):
        read_config(path)


def test_no_yaml_runs_code(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("!!python/object/apply:os.getcwd []\n")
    with pytest.raises(WeightsError, match="is not YAML"):
        read_config(path)
