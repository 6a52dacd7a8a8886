"""A line of a changed case, as earlier versions wrote it, is read."""

from __future__ import annotations

import json
import math

from cinema_cmr.bench.changed_case import ChangedCase
from cinema_cmr.core.serialise import from_result

LINE = """{"patient": "p", "change": "none", "dice": [{"rv": null, "myo": 0.9, "lv": 0.95}],
 "measured": {"lv_ef_percent": null, "rv_ef_percent": 60.0}, "reference": {"lv_ef_percent": 55.0,
 "rv_ef_percent": 61.0}, "flags": ["odd"], "notes": [], "confidence": [NaN], "estimators":
 [{"mean_prob": {"rv": null, "myo": 0.9, "lv": 0.9}}], "part": "train", "seconds": 8.1, "model": "abc"}"""


def test_what_is_unknown_is_not_a_number() -> None:
    case = from_result(ChangedCase, json.loads(LINE))
    unknown = (case.dice[0]["rv"], case.measured["lv_ef_percent"], case.confidence[0])
    assert all(map(math.isnan, unknown)) and case.dice[0]["lv"] == 0.95
    assert (
        case.flags == ("odd",) and case.inference_settings == "tta 1" and case.estimators[0]["mean_prob"]["lv"] == 0.9
    )
