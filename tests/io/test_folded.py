"""The same sentence is never repeated for many series, slices or frames."""

from __future__ import annotations

from cinema_cmr.core.study import Issue
from cinema_cmr.io.folded import fold_issues, fold_lines, ranges


def issue(message: str, code: str = "x", **evidence: int | str) -> Issue:
    return Issue(code=code, severity="warning", message=message, evidence=evidence)


def test_series_at_the_head_become_ranges() -> None:
    (folded,) = fold_issues([issue(f"series {k}: its frames have no time", series=f"series {k}") for k in (1, 2, 3, 7)])
    assert folded.message == "series 1-3, 7: its frames have no time"
    assert folded.evidence == {"series": "1-3, 7", "count": 4}


def test_one_frame_missing_in_many_slices_is_one_sentence() -> None:
    many = [issue(f"series 3: frame 4 of slice {k} is missing", slice=k, frame=4) for k in range(26)]
    (folded,) = fold_issues(many)
    assert folded.message == "series 3: frame 4 of slice 0 is missing; likewise slices 1-25"
    assert folded.evidence["count"] == 26


def test_several_places_are_counted() -> None:
    (folded,) = fold_issues([issue("frame 4 of slice 1 is missing"), issue("frame 5 of slice 2 is missing")])
    assert folded.message == "frame 4 of slice 1 is missing; likewise 1 more: frame 5, slice 2"


def test_other_codes_and_other_sentences_stay_apart() -> None:
    issues = [issue("slice 1 is blank"), issue("slice 2 is blank", code="y"), issue("slice 3 is dark")]
    assert fold_issues(issues) == tuple(issues)


def test_file_names_do_not_keep_sentences_apart() -> None:
    (folded,) = fold_issues([issue(f"frame {k} of slice 0 is unreadable ('IM{k}': broken)") for k in (3, 8)])
    assert folded.message.startswith("frame 3 of slice 0 is unreadable ('IM3': broken); likewise frame 8")


def test_lines_and_ranges() -> None:
    lines = [f"series {k}: images with no position (20 images)" for k in range(1, 17)]
    assert fold_lines(lines) == ["series 1-16: images with no position (20 images)"]
    assert ranges(["10", "9", "9a", "3"]) == "3, 9-10, 9a"
