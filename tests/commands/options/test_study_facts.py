"""What is said of one person is not said of several; a manifest's facts fill what the command line leaves open."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonargparse import Namespace

from cinema_cmr.commands.options.manifest import ManifestRow
from cinema_cmr.commands.options.study_facts import check_one_study, study_names, with_facts
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Subject
from cinema_cmr.pipeline.analysis_options import Options

UNSET = dict.fromkeys(("sex", "age", "height", "weight", "heart_rate", "ed_frame", "es_frame"))


@pytest.mark.parametrize(
    ("name", "flag"), [("sex", "sex"), ("age", "age"), ("heart_rate", "heart-rate"), ("es_frame", "es-frame")]
)
def test_facts_of_one_study_are_refused_with_several(name: str, flag: str) -> None:
    given = Namespace(**{**UNSET, name: "F" if name == "sex" else 0})
    check_one_study(given, 1)
    check_one_study(Namespace(**UNSET), 3)
    with pytest.raises(UsageError, match=f"--{flag} with 2 studies; expected it for one: give a column '{name}'"):
        check_one_study(given, 2)


def test_names_of_the_manifest_come_first() -> None:
    rows = [ManifestRow(path=Path("a/sax.nii.gz"), name="p7"), ManifestRow(path=Path("b/sax.nii.gz"))]
    assert study_names(rows) == ["p7", "b"] and study_names(rows[:1]) == ["p7"]
    with pytest.raises(UsageError, match="two studies are named 'b'"):
        study_names([ManifestRow(path=Path("a/sax.nii.gz"), name="B"), ManifestRow(path=Path("b.nii.gz"))])


def test_the_command_line_comes_before_the_table() -> None:
    row = ManifestRow(path=Path("a"), subject=Subject(sex="F", age_years=41), ed_frame=0, es_frame=9)
    options = with_facts(Options.of(age_years=50, es_frame=8), row)
    assert (options.subject, options.measure.ed_frame, options.measure.es_frame) == (
        Subject(sex="F", age_years=50),
        0,
        8,
    )
