"""The record of a comparison is JSON that comes back as it was, and names what is beyond noise."""

from __future__ import annotations

import json

from cinema_cmr.core.serialise import from_dict, json_text
from cinema_cmr.report.comparison.compared import ComparisonRecord
from cinema_cmr.report.comparison.results_comparison import ResultsComparison


def test_the_record_comes_back_from_json(corrected: ResultsComparison) -> None:
    text = json_text(corrected.record)
    again = from_dict(ComparisonRecord, json.loads(text))
    assert json_text(again) == text and again.schema_version == "1.0"
    assert "lv_edv_ml" in [one.name for one in again.beyond]
