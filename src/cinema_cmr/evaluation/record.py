"""An evaluation as one document of plain values: the summary, its subgroups, every patient, and the quality checks.

It is what `scores.json` holds, what the page is drawn from, and what a later run is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.evaluation.segmentation import PatientScore, summarise
from cinema_cmr.score.detection import proportion_interval
from cinema_cmr.score.statistics import Interval, finite_mean, rank_correlation

__all__ = ["FACTS", "LOW_DICE", "MAX_EF_ERROR", "evaluation_document", "failure_of", "patient_row"]

FACTS = ("group", "sex", "age_band", "vendor", "field_tesla", "centre")
"""Facts of a dataset by which patients are told apart."""

LOW_DICE = 0.7
"""A structure of the heart's anatomy below this in one labelled frame is a failure."""

MAX_EF_ERROR = 10.0
"""Points of ejection fraction; a larger error is a failure."""

_ANATOMY = ("lv", "myo", "rv", "lv_cavity", "myocardium")
"""Structures of both schemes that every heart has; a missed lesion is no failure of outlining the heart."""
_OLD, _YOUNG = 65.0, 40.0

Row = Mapping[str, Any]


def evaluation_document(scores: Sequence[PatientScore], *, seed: int = 0, **about: Any) -> dict[str, Any]:
    """`summarise` of all and of each subgroup, `patient_row` of each study, and whether flags caught the failures.

    `about` (model, hash, data, ...) comes first. Raises `InputError` where there is no score.
    """
    rows = [patient_row(score) for score in scores]
    return {
        **about,
        **summarise(scores, seed=seed),
        "subgroups": _subgroups(scores, rows, seed),
        "checks": _checks(rows),
        "patients": rows,
    }


def patient_row(score: PatientScore) -> dict[str, Any]:
    """One study: scores as means over its frames, both masks' measurements, confidence, flags and failure."""
    names = sorted({name for frame in score.frames for name in frame})
    scores = {name: score.mean(name) for name in names}
    scores["dice_mean"] = finite_mean(value for name, value in scores.items() if name.startswith("dice_"))
    return {
        "study": score.study,
        "patient": score.patient,
        "facts": _facts(score.facts),
        "scores": scores,
        "measured": dict(score.measured),
        "reference": dict(score.reference),
        "confidence": score.confidence,
        "flags": [{"code": f.code, "severity": f.severity, "message": f.message} for f in score.flags],
        "failure": failure_of(score),
    }


def failure_of(score: PatientScore) -> str | None:
    """Why the outlines of a study count as failed, in words; None where they do not."""
    reasons = [f"{name} Dice {value:.2f}" for name, value in _lowest(score).items() if value < LOW_DICE]
    for name, title in (("lv_ef_percent", "LVEF"), ("rv_ef_percent", "RVEF")):
        measured, reference = score.measured.get(name), score.reference.get(name)
        if measured is not None and reference is not None and abs(measured - reference) > MAX_EF_ERROR:
            reasons.append(f"{title} off by {measured - reference:+.0f} points")
    return "; ".join(reasons) or None


def _lowest(score: PatientScore) -> dict[str, float]:
    """Structure of the heart -> its lowest Dice of the frames that have one."""
    found = ((name, [frame.get(f"dice_{name}", np.nan) for frame in score.frames]) for name in _ANATOMY)
    return {name: float(np.nanmin(dices)) for name, dices in found if not np.isnan(dices).all()}


def _facts(facts: Mapping[str, Any]) -> dict[str, str]:
    known = {name: str(facts[name]) for name in FACTS if facts.get(name)}
    age = facts.get("age_years")
    if isinstance(age, float | int):
        known["age_band"] = "over 65" if age > _OLD else "under 40" if age < _YOUNG else "40 to 65"
    return known


def _subgroups(scores: Sequence[PatientScore], rows: Sequence[Row], seed: int) -> dict[str, Any]:
    """Summaries of the patients that share a fact, where it tells at least two kinds apart."""
    found: dict[str, Any] = {}
    for fact in FACTS:
        kinds = sorted({row["facts"][fact] for row in rows if fact in row["facts"]})
        for kind in kinds if len(kinds) > 1 else ():
            its = [score for score, row in zip(scores, rows, strict=True) if row["facts"].get(fact) == kind]
            found[f"{fact.replace('_', ' ')} {kind}"] = summarise(its, seed=seed)
    return found


def _checks(rows: Sequence[Row]) -> dict[str, Any]:
    """Whether warnings and errors were raised where the outlines failed, by flag too, and confidence against Dice."""
    failed = [row["failure"] is not None for row in rows]
    raised = [{flag["code"] for flag in row["flags"] if flag["severity"] != "info"} for row in rows]
    caught = [bool(codes) for codes, bad in zip(raised, failed, strict=True) if bad]
    silent = [not codes for codes, bad in zip(raised, failed, strict=True) if not bad]
    return {
        "rule": f"failed: Dice of a structure of the heart under {LOW_DICE:g} in a labelled frame, or an ejection"
        f" fraction more than {MAX_EF_ERROR:g} points off; raised: a warning or an error",
        "n_failed": sum(failed),
        "sensitivity": _share(caught),
        "specificity": _share(silent),
        "flags": _by_flag(rows, failed),
        "confidence_rank_correlation": rank_correlation(
            [row["confidence"] for row in rows], [row["scores"]["dice_mean"] for row in rows]
        ),
    }


def _share(hits: Sequence[bool]) -> dict[str, Any]:
    interval: Interval = proportion_interval(sum(hits), len(hits))
    return {name: getattr(interval, name) for name in ("value", "low", "high", "n")}


def _by_flag(rows: Sequence[Row], failed: Sequence[bool]) -> list[dict[str, Any]]:
    """Each flag that was raised: its severity, in how many studies, and how many of these had failed."""
    found: dict[str, dict[str, Any]] = {}
    for row, bad in zip(rows, failed, strict=True):
        for flag in {flag["code"]: flag for flag in row["flags"]}.values():
            its = found.setdefault(
                flag["code"], {"code": flag["code"], "severity": flag["severity"], "n": 0, "n_failed": 0}
            )
            its["n"] += 1
            its["n_failed"] += int(bad)
    return sorted(found.values(), key=lambda its: (-its["n_failed"], -its["n"], its["code"]))
