"""What differs in model, options and corrections, without facts of the subject."""

from __future__ import annotations

from dataclasses import replace

from cinema_cmr.report.comparison.compared import ComparedSetting
from cinema_cmr.report.comparison.differing_settings import corrections_of, differing_settings
from cinema_cmr.report.comparison.results_comparison import ResultsComparison


def test_rules_are_shown_and_facts_of_the_subject_are_not(corrected: ResultsComparison) -> None:
    assert corrected.record.settings == (
        ComparedSetting(name="basal_rule", first="scmr", second="all-slices"),
        ComparedSetting(name="ed_frame", first="not given", second="0"),
        ComparedSetting(name="es_frame", first="not given", second="4"),
        ComparedSetting(name="height_cm", first="not given", second="given, another value"),
    )
    lines = corrections_of(corrected.second.record)
    assert lines[0].startswith("Short axis mask: ") and lines[1] == "Basal rule all-slices (model's run: scmr)."
    assert lines[-1] == "Facts of the subject: 1 changed." and len(lines) == 5
    assert "171" not in str(lines) and corrections_of(corrected.first.record) == ()


def test_another_model_and_version_are_named(corrected: ResultsComparison) -> None:
    run = corrected.first.run
    other = replace(
        run, model=replace(run.model, name="lab", hash="ff" * 32), versions={**run.versions, "cinema_cmr": "9.9"}
    )
    found = {one.name: (one.first, one.second) for one in differing_settings(run, other)}
    assert found["model"] == ("test-model", "lab") and found["weights (SHA-256)"] == ("ab" * 6, "ff" * 6)
    assert found["version of cinema_cmr"][1] == "9.9" and differing_settings(run, run) == ()
