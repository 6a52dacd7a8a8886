"""Both values of each measurement, the difference against its limit, and files written together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, OutputExistsError
from cinema_cmr.core.results import Measurement
from cinema_cmr.report.comparison.results_comparison import ResultsComparison, compare_sides, compared_values


def measured(name: str, value: float | None, *, rule: str = "own") -> Measurement:
    return Measurement(name=name, title=name, value=value, unit="ml", method="masks", rule=rule)


def test_differences_are_judged_by_their_limit() -> None:
    first = (measured("lv_edv_ml", 150), measured("lv_esv_ml", 60), measured("lv_sv_ml", 90), measured("x", None))
    second = (measured("lv_edv_ml", 166), measured("lv_esv_ml", 65), measured("lv_sv_ml", 101, rule="other"))
    found = {one.name: one for one in compared_values(first, (*second, measured("new", 1)))}
    assert [found[name].difference for name in ("lv_edv_ml", "lv_esv_ml", "lv_sv_ml")] == [16, 5, 11]
    assert found["lv_edv_ml"].limit == pytest.approx(1.96 * 0.049 * 158)
    assert [found[name].is_beyond for name in ("lv_edv_ml", "lv_esv_ml", "lv_sv_ml")] == [True, False, None]
    assert found["lv_edv_ml"].same_rule and not found["lv_sv_ml"].same_rule
    assert "x" not in found and (found["new"].first, found["new"].second, found["new"].difference) == (None, 1, None)


def test_a_changed_rule_is_no_corrected_mask(corrected: ResultsComparison) -> None:
    assert corrected.record.second.has_corrected_masks and not corrected.record.first.has_corrected_masks
    edits = corrected.second.record.edits
    assert edits is not None
    rules = replace(corrected.second, record=replace(corrected.second.record, edits=replace(edits, masks=())))
    side = compare_sides(corrected.first, rules).record.second
    assert not side.has_corrected_masks and side.corrections[0].startswith("Basal rule")


def test_a_cine_is_not_compared_with_late_enhancement(corrected: ResultsComparison) -> None:
    record = corrected.second.record
    late = replace(corrected.second, record=replace(record, study=replace(record.study, modality="lge")))
    with pytest.raises(InputError, match="model is a cine study, reader a late-enhancement study"):
        compare_sides(corrected.first, late)


def test_page_and_record_are_written_together(
    corrected: ResultsComparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinema_cmr.report.comparison.comparison_page.comparison_page", lambda _: "page")
    assert corrected.write(tmp_path / "out") == tmp_path / "out" / "compare.html"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["compare.html", "compare.json"]
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["first"]["title"] == "model"
    with pytest.raises(OutputExistsError, match="--overwrite"):
        corrected.write(tmp_path / "out")
    corrected.write(tmp_path / "out", overwrite=True)
    assert repr(corrected).startswith("ResultsComparison(model, reader; beyond scan-rescan noise: ")
