"""`cinema info` describes this version without torch, as text and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cinema_cmr.cli import main


@pytest.mark.medium
def test_text_and_json_say_the_same_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert f"cinema-cmr {document['version']}" in text and "cinema-sax" in text
    assert {model["name"]: model["licence"] for model in document["models"]}["cinema-sax"].startswith("CC BY-NC-SA")
    units = {one["name"]: one["unit"] for one in document["measurements"]}
    assert (units["lv_ef_percent"], units["lv_mass_g"], units["infarct_ml"]) == ("%", "g", "ml")


def test_a_completion_script_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--completion", "fish"]) == 0
    assert "complete -c cinema" in capsys.readouterr().out


@pytest.mark.medium
def test_neither_the_description_nor_a_parser_loads_torch() -> None:
    code = (
        "import sys\nfrom cinema_cmr.cli import main\nmain(['info', '--json'])\n"
        "main(['info', '--completion', 'bash'])\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
