"""A population read for its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from populations import N, values_of

from cinema_cmr.core.errors import InputError, UnknownNameError
from cinema_cmr.population.cohort.cohort import Cohort, read_cohort


def test_values_are_those_of_the_studies(cohort: Cohort) -> None:
    values = cohort.values("lv_edv_ml")
    assert len(values.values) == N
    assert values.values[cohort.studies.index("s17")] == values_of(17)["lv_edv_ml"]
    chosen = [name == "s17" for name in cohort.studies]
    assert np.isfinite(cohort.values("lv_edv_ml", chosen).values).sum() == 1
    assert cohort.column("group") == cohort.column("fact_group")
    with pytest.raises(UnknownNameError, match="did you mean 'group'"):
        cohort.column("groups")


def test_the_worst_come_first_with_their_picture(cohort: Cohort) -> None:
    worst = cohort.worst(3)
    assert [one.study for one in worst] == ["s7", "s127", "s167"]
    assert worst[0].n_errors == 1 and str(worst[0].picture).startswith("data:image/png;base64,")
    assert len(cohort.worst(50)) == 6, "those without a flag need no look"


def test_failures_are_grouped_without_names(cohort: Cohort) -> None:
    groups = cohort.failure_groups()
    assert [(group.cause, group.reason, group.n) for group in groups] == [
        ("input", "'…' is truncated", 2),
        ("timeout", "late", 1),
    ]
    assert groups[0].examples == ("cut-1", "cut-2")
    assert cohort.flag_counts() == [("low-confidence", 6)]


def test_a_folder_without_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study with numbers"):
        read_cohort(tmp_path)
