"""`cinema demo`: measurements beside the true values of the synthetic heart, and a finished report that is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scan_runs import call, scan, use_oracle

from cinema_cmr.phantom.demo import demo_truth


@pytest.fixture(autouse=True)
def _small_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small study in place of the bundled one; the truth stays that of the demo."""
    use_oracle(monkeypatch)
    source = scan(tmp_path)
    monkeypatch.setattr("cinema_cmr.phantom.demo.demo_path", lambda: source)


@pytest.mark.medium
def test_truth_is_printed_with_the_measurements_and_a_report_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = demo_truth()
    assert call("demo", "-o", tmp_path / "out", "--json") == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["name"], line["status"]) == ("demo_study", "done")
    assert line["truth"] == {name: truth[name] for name in line["truth"]} and "lv_mass_g" in line["truth"]
    assert call("demo", "-o", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "(finished before, kept)" in printed
    assert f"truth of this synthetic heart: LVEF {truth['lv_ef_percent']:.0f} %" in printed
