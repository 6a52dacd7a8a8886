"""Completeness of a dataset: every case is read once and reported as found, missing or broken, with the reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cinema_cmr.core.errors import CinemaError, MissingFileError, as_cinema_error
from cinema_cmr.data.cases import AnnotatedStudy, Case
from cinema_cmr.data.label_check import LabelSummary, label_remarks, summarise_labels
from cinema_cmr.data.seen_frames import RepeatedImages
from cinema_cmr.datasets.dataset import Dataset
from cinema_cmr.files.regular import open_regular
from cinema_cmr.io.walk import paths_below

__all__ = ["CheckResult", "CheckSummary", "check_cases", "check_downloads", "summarise_checks"]

_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
"""Length of a published hash -> its algorithm."""
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Outcome for one case, or one file of the download."""

    name: str
    status: Literal["found", "missing", "broken"]
    reason: str = ""
    """Error raised on reading; empty if found."""
    labels: tuple[LabelSummary, ...] = ()
    """Contents of the label maps, by view; empty if there are none, or they were not opened."""
    remarks: tuple[str, ...] = ()
    """Reasons to look at the label maps and the images."""


@dataclass(frozen=True, kw_only=True)
class CheckSummary:
    """Counts over the cases of a dataset."""

    dataset: str
    expected: int | None
    """Number of cases according to the authors; None if not published."""
    listed: int
    found: int
    missing: int
    broken: int
    parts: Mapping[str, int]
    """Official part, or "none" -> number of cases."""
    results: tuple[CheckResult, ...] = field(default=(), repr=False)
    """Outcome of each case, with its labels and remarks, in the order of the cases."""


def check_cases(dataset: Dataset, cases: Sequence[Case], *, open_files: bool = True) -> Iterator[CheckResult]:
    """Yield the outcome of each case, in order; if `open_files` is False, from the listing only.

    A missing file of the layout makes a case missing, any other error broken.
    """
    repeated = RepeatedImages()
    for case in cases:
        try:
            annotated = _check(dataset, case, open_files)
        except MissingFileError as error:
            yield CheckResult(name=case.name, status="missing", reason=str(error))
        except CinemaError as error:
            yield CheckResult(name=case.name, status="broken", reason=str(error))
        except Exception as error:  # an unforeseen error in one case must not hide the others
            yield CheckResult(name=case.name, status="broken", reason=str(as_cinema_error(error)))
        else:
            yield _found(case, annotated, repeated)


def summarise_checks(dataset: Dataset, cases: Sequence[Case], results: Iterable[CheckResult]) -> CheckSummary:
    """Count the outcomes of the cases of a dataset, one result per case."""
    results = tuple(results)
    counts = Counter(result.status for result in results)
    parts = Counter(str(case.facts.get("part", "none")) for case in cases)
    return CheckSummary(
        dataset=dataset.card.name,
        expected=dataset.card.n_cases,
        listed=len(cases),
        found=counts["found"],
        missing=counts["missing"],
        broken=counts["broken"],
        parts=dict(sorted(parts.items())),
        results=results,
    )


def check_downloads(dataset: Dataset, root: Path) -> Iterator[CheckResult]:
    """Verify the downloaded files under `root` that have a published hash; absent files are not reported."""
    for name, expected in dataset.card.checksums.items():
        for path in paths_below(root, name):
            matches = _hash(path, _HASHES[len(expected)]) == expected.lower()
            reason = (
                ""
                if matches
                else f"its {_HASHES[len(expected)]} differs; expected the published {expected}: download it again"
            )
            yield CheckResult(name=name, status="found" if matches else "broken", reason=reason)


def _found(case: Case, annotated: AnnotatedStudy | None, repeated: RepeatedImages) -> CheckResult:
    if annotated is None:
        return CheckResult(name=case.name, status="found")
    summaries = summarise_labels(annotated)
    remarks = tuple(filter(None, (*label_remarks(summaries), repeated.remark(annotated))))
    return CheckResult(name=case.name, status="found", labels=summaries, remarks=remarks)


def _check(dataset: Dataset, case: Case, open_files: bool) -> AnnotatedStudy | None:
    case.check()
    if open_files:
        return dataset.read_case(case)
    missing = [path.name for path in case.files or (case.folder,) if not path.exists()]
    if missing:
        raise MissingFileError(f"'{missing[0]}' is missing; expected it as listed: unpack the dataset again")
    return None


def _hash(path: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
