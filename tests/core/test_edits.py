"""Edits of finished results: the options of the model's run come back."""

from __future__ import annotations

from cinema_cmr.core.edits import Edits, RuleChange


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
