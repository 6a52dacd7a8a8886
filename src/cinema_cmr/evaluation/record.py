"""The record of an evaluation: summary, subgroups, quality checks and every result; what scores.json holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.results import Flag
from cinema_cmr.core.serialise import Json, from_result, json_values
from cinema_cmr.data.seen_frames import SeenPatients
from cinema_cmr.evaluation.compare import Comparison, compare
from cinema_cmr.files.text import read_json
from cinema_cmr.score.detection import proportion_interval
from cinema_cmr.score.statistics import Interval, rank_correlation
from cinema_cmr.tasks.mask_scores import LOW_DICE, MAX_EF_ERROR
from cinema_cmr.tasks.result import Result, Summary

__all__ = [
    "SCORES_FILE",
    "BesidePublished",
    "Checks",
    "Evaluated",
    "Evaluation",
    "FlagCount",
    "NotScored",
    "StoredEvaluation",
    "compare_evaluations",
    "read_evaluation",
    "subgroup_facts",
]

SCORES_FILE = "scores.json"

SUBGROUP_FACTS = ("group", "sex", "age_band", "vendor", "field_tesla", "centre")
"""Facts of a dataset that define subgroups of patients."""

_OLD, _YOUNG = 65.0, 40.0


@dataclass(frozen=True, kw_only=True)
class NotScored:
    """A study without a score, and why."""

    study: str
    patient: str
    status: str
    """"missing" without a mask, "unusable" with one that cannot be read, "unlabelled" without a reference."""
    why: str


@dataclass(frozen=True, kw_only=True)
class FlagCount:
    """How often a quality flag was raised, and how many of these studies had failed."""

    code: str
    severity: str
    n: int
    n_failed: int


@dataclass(frozen=True, kw_only=True)
class Checks:
    """Whether the quality flags caught the failures, and whether confidence followed Dice."""

    rule: str
    n_failed: int
    sensitivity: Interval
    specificity: Interval
    flags: tuple[FlagCount, ...]
    confidence_rank_correlation: float


@dataclass(frozen=True, kw_only=True)
class BesidePublished:
    """Our number of an evaluation in words, beside a published one of the same score."""

    what: str
    ours: str
    published: str
    model: str
    patients: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What is scored, and on which data."""

    model: str
    """Name of a model, or of the program whose masks are scored."""
    hash: str = ""
    """Of the weights; empty for masks."""
    task: str
    target: str | None = None
    """Fact or measurement that the model predicts, of a regression or classification."""
    dataset: str = ""
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Evaluation(Evaluated):
    """One model, or the masks of another program, scored on a dataset."""

    summary: Summary
    subgroups: Mapping[str, Summary]
    checks: Checks | None
    """None for a task without masks."""
    results: tuple[Result, ...]
    not_scored: tuple[NotScored, ...] = ()
    seen: SeenPatients | None = None
    """Scored patients that the model has seen before; None if it does not state its frames."""
    against: Comparison | None = None
    """This evaluation minus another of the same patients."""
    published: tuple[BesidePublished, ...] = ()

    @property
    def warning(self) -> str:
        """Why the scores are no estimate for new patients; empty if nothing is known against it."""
        return "" if self.seen is None else self.seen.sentence(self.model, self.summary.n_patients)

    def to_dict(self) -> dict[str, Json]:
        """Return JSON values, the summary's fields at the top level, results as `patients`; masks are left out."""
        rows = [replace(result, facts=subgroup_facts(result.facts), labels=None) for result in self.results]
        values = json_values({**vars(self), **vars(self.summary), "patients": rows})
        return {name: value for name, value in values.items() if name not in ("summary", "results")}


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """The part of a result in `scores.json` that comparisons need."""

    study: str
    patient: str
    scores: Mapping[str, float]
    measured: Mapping[str, float | None]
    reference: Mapping[str, float | None]
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class StoredEvaluation:
    """The part of `scores.json` that comparisons need."""

    model: str
    hash: str = ""
    patients: tuple[StoredResult, ...]

    @property
    def results(self) -> list[Result]:
        """The results, without what was not stored."""
        return [Result(**vars(row)) for row in self.patients]


def read_evaluation(folder: Path) -> StoredEvaluation:
    """Read back an evaluation that `cinema evaluate -o` wrote; else raise `InputError`."""
    try:
        return from_result(StoredEvaluation, read_json(folder / SCORES_FILE))
    except (OSError, InputError, ValueError, UsageError) as error:
        raise InputError(
            f"'{folder.name}' has no readable {SCORES_FILE} with patients; expected the folder of a"
            " `cinema evaluate -o`: evaluate that model again"
        ) from error


def compare_evaluations(first: Evaluation, second: Evaluation | StoredEvaluation) -> Comparison:
    """Compare two evaluations patient by patient, first minus second; models of one name are named with their hashes.

    Raises `InputError` for fewer than two shared patients, and where the references differ.
    """
    from cinema_cmr.tasks.registry import task_type

    names = (first.model, second.model)
    if first.model == second.model:
        names = (f"{first.model} {first.hash[:8]}".strip(), f"{second.model} {second.hash[:8]}".strip())
    return compare(first.results, second.results, task_type(first.task), names=names)


def subgroup_facts(facts: Mapping[str, object]) -> dict[str, str]:
    """Return the facts that define subgroups, the age as a band."""
    known = {name: str(facts[name]) for name in SUBGROUP_FACTS if facts.get(name) not in (None, "")}
    age = facts.get("age_years")
    if isinstance(age, float | int):
        known["age_band"] = "over 65" if age > _OLD else "under 40" if age < _YOUNG else "40 to 65"
    return known


def subgroup_summaries(
    results: Sequence[Result], summarise: Callable[[Sequence[Result]], Summary]
) -> dict[str, Summary]:
    """Summarise the patients that share a fact, for facts with at least two values."""
    found: dict[str, Summary] = {}
    facts = [subgroup_facts(result.facts) for result in results]
    for name in SUBGROUP_FACTS:
        kinds = sorted({its[name] for its in facts if name in its})
        for kind in kinds if len(kinds) > 1 else ():
            members = [result for result, its in zip(results, facts, strict=True) if its.get(name) == kind]
            found[f"{name.replace('_', ' ')} {kind}"] = summarise(members)
    return found


def check_flags(results: Sequence[Result]) -> Checks | None:
    """Count warnings and errors against failures; None without masks."""
    if not any("dice_mean" in result.scores for result in results):
        return None
    failed = [result.failure is not None for result in results]
    raised = [any(flag.severity != "info" for flag in result.flags) for result in results]
    n_failed, n_caught = sum(failed), sum(a and b for a, b in zip(failed, raised, strict=True))
    n_silent = sum(not (a or b) for a, b in zip(failed, raised, strict=True))
    return Checks(
        rule=f"failed: Dice of a structure of the heart under {LOW_DICE:g} in a labelled frame, or an ejection"
        f" fraction more than {MAX_EF_ERROR:g} points off; raised: a warning or an error",
        n_failed=n_failed,
        sensitivity=proportion_interval(n_caught, n_failed),
        specificity=proportion_interval(n_silent, len(results) - n_failed),
        flags=_count_flags(results),
        confidence_rank_correlation=rank_correlation(
            [result.confidence for result in results], [result.scores["dice_mean"] for result in results]
        ),
    )


def _count_flags(results: Sequence[Result]) -> tuple[FlagCount, ...]:
    raised: dict[str, list[tuple[Flag, bool]]] = {}
    for result in results:
        for flag in {flag.code: flag for flag in result.flags}.values():
            raised.setdefault(flag.code, []).append((flag, result.failure is not None))
    counts = [
        FlagCount(code=code, severity=its[0][0].severity, n=len(its), n_failed=sum(failed for _, failed in its))
        for code, its in raised.items()
    ]
    return tuple(sorted(counts, key=lambda count: (-count.n_failed, -count.n, count.code)))
