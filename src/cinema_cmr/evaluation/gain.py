"""What a pre-trained start gained over random weights, patient by patient, and what can be said of it.

Any task: each model is scored on the native grid by the machinery of `cinema evaluate`. One value, the `primary`,
was chosen for the task beforehand and the verdict rests on it alone; the others stand beside it, corrected after Holm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.evaluation.compare import LEAST_PATIENTS, Values, compare_values, values_of
from cinema_cmr.evaluation.eligible import choose_scorable
from cinema_cmr.evaluation.landmark import evaluate_landmarks
from cinema_cmr.evaluation.record import patient_row
from cinema_cmr.evaluation.scalar import ScalarResult, evaluate_answers
from cinema_cmr.evaluation.segmentation import evaluate_segmentation
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.scalar_predictor import ScalarPredictor
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.score.statistics import finite_mean

__all__ = ["LEAST_FOR_TEST", "gain_document", "primary_of", "values_of_model"]

LEAST_FOR_TEST = 6
"""With fewer patients Wilcoxon's two-sided p cannot fall under 0.05 even where all of them are better: 2 / 2**n."""

_LEVEL = 0.05
_PRIMARY = {
    "segment": "dice_mean",
    "landmark": "distance_mm",
    "regress": "absolute_error",
    "classify": "probability_of_truth",
}
_HIGHER_IS_BETTER = ("dice", "probability", "right")
_FOLDS = ", or hold each out once with --folds"
_TITLES = {
    "dice_mean": "mean Dice of the structures",
    "distance_mm": "distance of the landmarks in mm",
    "absolute_error": "absolute error",
    "probability_of_truth": "probability given to the true class",
}


def primary_of(task: str) -> str:
    """The value of a task on which the verdict rests."""
    return _PRIMARY[task]


def values_of_model(
    loaded: LoadedModel,
    studies: Sequence[AnnotatedStudy],
    runtime: Runtime,
    *,
    report: Callable[[str], None] | None = None,
) -> dict[str, dict[str, float]]:
    """What the model's task is scored by -> patient -> value; `report` hears each patient.

    Raises `InputError` where no study can be scored.
    """

    def told(score: Any) -> None:
        if report is not None:
            report(score.patient)

    task = loaded.card.task
    if task == "segment":
        drawn, _ = choose_scorable(studies, loaded.card)
        segmenter = Segmenter(loaded, runtime)
        return _of_masks([patient_row(score) for score in evaluate_segmentation(drawn, segmenter, report=told)])
    if task == "landmark":
        return _of_points(evaluate_landmarks(studies, LandmarkPredictor(loaded, runtime), report=told))
    answers = evaluate_answers(studies, ScalarPredictor(loaded, runtime), report=told)
    return _of_classes(answers) if task == "classify" else _of_numbers(answers)


def gain_document(start: Values, scratch: Values, /, *, primary: str, seed: int = 0, **about: Any) -> dict[str, Any]:
    """The paired comparison, start minus scratch, each patient's values, and the verdict in words.

    `about` (recipe, start, data, ...) comes first; `seed` is that of the runs, and of the intervals. Patients of
    whom either lacks the primary value count as unknown.
    """
    rows = compare_values(start, scratch, seed=seed)
    named = dict.fromkeys([*start.get(primary, {}), *scratch.get(primary, {})])
    patients = [
        {
            "patient": patient,
            "start": {name: values.get(patient, float("nan")) for name, values in start.items()},
            "scratch": {name: values.get(patient, float("nan")) for name, values in scratch.items()},
        }
        for patient in named
    ]
    return {
        **about,
        "seed": seed,
        "primary": primary,
        "higher_is_better": _higher(primary),
        "verdict": _verdict(primary, rows, patients, more="" if "fold" in str(about.get("compared_on")) else _FOLDS),
        "comparison": {
            "first": "pre-trained start",
            "second": "random weights",
            "n_patients": len(patients),
            "rows": rows,
        },
        "patients": patients,
    }


def _of_masks(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    scores = [name for name in (rows[0]["scores"] if rows else {}) if name.startswith("dice_")]
    shares = [name for name in (rows[0]["measured"] if rows else {}) if name.endswith("_percent")]
    return values_of(rows, [*scores, *(f"{name} absolute error" for name in shares)])


def _of_points(scores: Sequence[Any]) -> dict[str, dict[str, float]]:
    names = dict.fromkeys(name for score in scores for name in score.distances_mm)
    values = {"distance_mm": _means((s.patient, finite_mean(_flat(s.distances_mm.values()))) for s in scores)}
    for name in names:
        its = [(s.patient, finite_mean(_flat([s.distances_mm[name]]))) for s in scores if name in s.distances_mm]
        values[f"{name} distance_mm"] = _means(its)
    return values


def _flat(arrays: Any) -> list[float]:
    return [float(value) for array in arrays for value in np.ravel(array)]


def _of_numbers(scores: Sequence[ScalarResult]) -> dict[str, dict[str, float]]:
    errors = ((s.patient, abs(next(iter(s.answer.values())) - float(s.known))) for s in scores)
    return {"absolute_error": _means(errors)}


def _of_classes(scores: Sequence[ScalarResult]) -> dict[str, dict[str, float]]:
    given = [(s, s.known if isinstance(s.known, str) else f"{s.known:g}") for s in scores]
    probs = ((s.patient, s.answer.get(known, 0.0)) for s, known in given)
    right = ((s.patient, float(max(s.answer, key=s.answer.__getitem__) == known)) for s, known in given)
    return {"probability_of_truth": _means(probs), "right_class": _means(right)}


def _means(pairs: Any) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for patient, value in pairs:
        found.setdefault(patient, []).append(value)
    return {patient: finite_mean(values) for patient, values in found.items()}


def _higher(name: str) -> bool:
    return name.startswith(_HIGHER_IS_BETTER)


def _verdict(
    primary: str, rows: Sequence[Mapping[str, Any]], patients: Sequence[Mapping[str, Any]], *, more: str
) -> dict[str, Any]:
    """A code ("gained", "lost", "not shown", "cannot be told") and the sentences that a reader needs; `more` is how
    else than by more labels there could be more patients."""
    sign = 1 if _higher(primary) else -1
    changes = [sign * (row["start"].get(primary, np.nan) - row["scratch"].get(primary, np.nan)) for row in patients]
    known = [change for change in changes if np.isfinite(change)]
    n, n_better = len(known), sum(change > 0 for change in known)
    if n < LEAST_PATIENTS:
        text = (
            f"Cannot be told: {n} {'patient' if n == 1 else 'patients'} to compare on. One heart says nothing of the"
            f" next. Label more patients{more}."
        )
        return {"code": "cannot be told", "text": text, "n": n, "n_better": n_better}
    row = next(row for row in rows if row["name"] == primary)
    told = _few(primary, row, n, n_better) if n < LEAST_FOR_TEST else _tested(primary, row, n, n_better, sign)
    if n < LEAST_FOR_TEST:
        told["text"] += f" Label more patients{more}."
    return {**told, "n": n, "n_better": n_better}


def _few(primary: str, row: Mapping[str, Any], n: int, n_better: int) -> dict[str, str]:
    numbers = _numbers(primary, row, n, n_better)
    text = (
        f"Cannot be told from {n} patients: {numbers}. Even if all {n} were better, the paired test could not give less"
        f" than p = {2 / 2**n:.2g}; the interval of so few is rough."
    )
    return {"code": "cannot be told", "text": text}


def _tested(primary: str, row: Mapping[str, Any], n: int, n_better: int, sign: int) -> dict[str, str]:
    difference, p_value = row["difference"], row["p_value"]
    tested = f"{_numbers(primary, row, n, n_better)}; p = {p_value:.2g} (Wilcoxon's signed-rank test)"
    if p_value >= _LEVEL:
        end = difference["high"] if sign > 0 else difference["low"]
        held = f"up to {end:+.3f} is within the interval" if sign * end > 0 else "the interval holds none"
        return {"code": "not shown", "text": f"No gain shown: {tested}. That is no proof of none: {held}."}
    better = sign * difference["value"] > 0
    return {"code": "gained" if better else "lost", "text": f"{'Gained' if better else 'Lost'}: {tested}."}


def _numbers(primary: str, row: Mapping[str, Any], n: int, n_better: int) -> str:
    difference = row["difference"]
    return (
        f"{_TITLES[primary]} {row['first']:.3f} from the pre-trained start and {row['second']:.3f} from random weights;"
        f" difference {difference['value']:+.3f} (95 % interval {difference['low']:+.3f} to {difference['high']:+.3f},"
        f" made with {n} patients), better in {n_better} of {n}"
    )
