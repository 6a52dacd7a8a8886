"""What of a dataset is there: each case once, with the reason, and downloads against their published hashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from trees import mnms_tree

from cinema_cmr.core.errors import MissingFileError
from cinema_cmr.data.cases import AnnotatedStudy, Case
from cinema_cmr.datasets.check import CheckResult, check_cases, check_downloads, summarise_checks
from cinema_cmr.datasets.registry import DATASETS


def test_found_missing_and_broken_are_distinguished(tmp_path: Path) -> None:
    root, dataset = mnms_tree(tmp_path).root, DATASETS["mnms"]
    told = {one.name: one for one in check_cases(dataset, dataset.list_cases(root))}
    assert {name: one.status for name, one in told.items()} == {
        "A0S9V9": "found",
        "B1C2D3": "found",
        "E9H1U4": "broken",
        "Z0Z0Z0": "missing",
    }
    assert "is empty" in told["E9H1U4"].reason and "Z0Z0Z0_sa.nii.gz" in told["Z0Z0Z0"].reason


def test_a_quick_check_opens_no_file(tmp_path: Path) -> None:
    def refuse(case: Case) -> AnnotatedStudy:
        raise AssertionError(f"{case.name} was read")

    dataset = replace(DATASETS["folder"], read_case=refuse)
    there, gone = tmp_path / "a", tmp_path / "b"
    there.mkdir()
    cases = [Case(name=path.name, patient="", folder=path) for path in (there, gone)]
    cases.append(Case(name="c", patient="", folder=there, problem="torn"))
    assert [one.status for one in check_cases(dataset, cases, open_files=False)] == ["found", "missing", "broken"]


@pytest.mark.parametrize(("error", "status"), [(MissingFileError("x"), "missing"), (ZeroDivisionError("y"), "broken")])
def test_no_error_hides_the_cases_after_it(error: Exception, status: str) -> None:
    def fail(case: Case) -> AnnotatedStudy:
        raise error

    cases = [Case(name=name, patient="", folder=Path()) for name in "ab"]
    assert [one.status for one in check_cases(replace(DATASETS["folder"], read_case=fail), cases)] == [status] * 2


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_downloads_are_compared_with_their_published_hashes(tmp_path: Path, kind: str) -> None:
    (tmp_path / "good.zip").write_bytes(b"whole")
    (tmp_path / "bad.zip").write_bytes(b"torn")
    expected = hashlib.new(kind, b"whole").hexdigest()
    sums = dict.fromkeys(("good.zip", "bad.zip", "unpacked.zip"), expected)
    dataset = replace(DATASETS["folder"], card=replace(DATASETS["folder"].card, checksums=sums))
    told = {one.name: one for one in check_downloads(dataset, tmp_path)}
    assert {name: one.status for name, one in told.items()} == {"good.zip": "found", "bad.zip": "broken"}
    assert kind in told["bad.zip"].reason


def test_a_summary_counts_outcomes_and_parts(tmp_path: Path) -> None:
    def case(name: str, **facts: str) -> Case:
        return Case(name=name, patient=name, folder=tmp_path, facts=facts)

    cases = [case("a", part="train"), case("b", part="train"), case("c")]
    results = [
        CheckResult(name=name, status=status) for name, status in (("a", "found"), ("b", "broken"), ("c", "found"))
    ]
    summary = summarise_checks(DATASETS["acdc"], cases, results)
    assert (summary.dataset, summary.expected, summary.listed) == ("acdc", 150, 3)
    assert (summary.found, summary.missing, summary.broken) == (2, 0, 1)
    assert summary.parts == {"none": 1, "train": 2}
