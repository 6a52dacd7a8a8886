"""Edits of finished results: the options of the model's run come back."""

from __future__ import annotations

from cinema_cmr.core.edits import Edits, EditStep, RuleChange


def test_options_of_the_model_s_run_come_back() -> None:
    edits = Edits(
        rules=(
            RuleChange(name="es_frame", model=None, now=3),
            RuleChange(name="given_weight_kg", model=None, now=80.0),
        )
    )
    present = {"es_frame": 3, "given_weight_kg": 80.0, "tta": 1}
    assert edits.model_options(present) == {"es_frame": None, "tta": 1}


def test_edits_that_were_taken_back_are_no_correction() -> None:
    assert not Edits().is_corrected
    assert Edits(rules=(RuleChange(name="es_frame", model=None, now=3),)).is_corrected


def test_rules_since_a_time_are_those_of_later_steps() -> None:
    steps = (
        EditStep(time="2026-01-01T10:00:00+00:00", version="1", rules=("es_frame",)),
        EditStep(time="2026-01-01T11:00:00+00:00", version="1", rules=("given_weight_kg",)),
    )
    edits = Edits(steps=steps)
    assert edits.rules_since("") == {"es_frame", "given_weight_kg"}
    assert edits.rules_since(steps[0].time) == {"given_weight_kg"} and not edits.rules_since(steps[1].time)
