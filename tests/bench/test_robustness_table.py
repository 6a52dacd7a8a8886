"""Means by change from case lines, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cinema_cmr.bench.changed_case import ChangedCase
from cinema_cmr.bench.robustness_table import case_dice, ef_error, markdown, summary
from cinema_cmr.core.errors import InputError


def line(
    patient: str, change: str, dice: float, *, part: str = "validation", flags: tuple[str, ...] = ()
) -> ChangedCase:
    frame = {"rv": dice - 0.1, "myo": dice, "lv": dice + 0.1}
    return ChangedCase(
        patient=patient,
        change=change,
        dice=(frame, frame),
        measured={"lv_ef_percent": 50.0, "rv_ef_percent": float("nan")},
        reference={"lv_ef_percent": 54.0, "rv_ef_percent": 60.0},
        flags=flags,
        notes=(),
        confidence=(0.9, 0.9),
        estimators=(),
        part=part,
        model="a",
    )


CASES = [
    line("p1", "none", 0.8),
    line("p2", "none", 0.6, flags=("apex-not-covered",)),
    line("p1", "blur-2mm", 0.5),
    line("p1", "style noisy", 0.7, part="phantom"),
    line("p9", "none", 0.1, part="train"),
]


def test_means_are_over_patients_and_leave_training_out() -> None:
    changes = summary(CASES).changes
    assert list(changes) == ["none", "blur-2mm", "style noisy"]
    none = changes["none"]
    assert none.n == 2 and none.dice_mean.value == pytest.approx(0.7)
    assert none.dice_lv.value == pytest.approx(0.8) and none.flagged.value == 0.5
    assert none.lv_ef_error.value == 4.0 and none.rv_ef_error.n == 0


def test_the_table_has_a_row_a_change_and_a_dash_for_what_is_unknown() -> None:
    rows = markdown(summary(CASES)).splitlines()
    assert rows[0].startswith("| change | n | LV |") and len(rows) == 5
    assert rows[2].startswith("| as it is | 2 | 0.800 | 0.700 | 0.600 | 0.700 (")
    assert rows[2].endswith("| 4.0 | - | 0.50 |") and "phantom, style noisy" in rows[4]


def test_one_case_by_hand() -> None:
    assert case_dice(CASES[0]) == pytest.approx(0.8) and case_dice(CASES[0], "rv") == pytest.approx(0.7)
    assert ef_error(CASES[0], "lv") == -4.0 and np.isnan(ef_error(CASES[0], "rv"))
    nowhere = replace(CASES[0], dice=(dict.fromkeys(("rv", "myo", "lv"), float("nan")),))
    assert np.isnan(case_dice(nowhere))


def test_nothing_and_two_models_or_one_asked_in_two_ways_are_refused() -> None:
    with pytest.raises(InputError, match="no measured case"):
        summary([CASES[-1]])
    for other in (replace(CASES[1], model="b"), replace(CASES[1], inference_settings="tta 8")):
        with pytest.raises(InputError, match="2 models"):
            summary([CASES[0], other])
