"""How far a model's landmarks are from reference points, in mm of patient space, and what motion they measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.measure.long_axis import long_axis_values
from cinema_cmr.score.agreement import agreement
from cinema_cmr.score.landmarks import detection_rates, landmark_distances_mm
from cinema_cmr.score.statistics import finite_mean, mean_interval

__all__ = ["LandmarkScore", "evaluate_landmarks", "score_landmarks", "summarise_landmarks"]


@dataclass(frozen=True, kw_only=True)
class LandmarkScore:
    """One study: distances by point and frame, and the motion measured from both sets of points."""

    patient: str
    distances_mm: Mapping[str, NDArray[np.float64]]
    """ "view:point" -> (t,); NaN in a frame in which either lacks it."""
    found: Mapping[str, float]
    """ "view:point" -> share of the reference's frames in which it was found."""
    measured: Mapping[str, float | None]
    """MAPSE and shortening from the predicted points."""
    reference: Mapping[str, float | None]
    facts: Mapping[str, Any]


def evaluate_landmarks(
    studies: Iterable[AnnotatedStudy],
    finder: LandmarkPredictor,
    *,
    report: Callable[[LandmarkScore], None] | None = None,
) -> list[LandmarkScore]:
    """Scores of every study with landmarks in a view of the model; raises `InputError` where none has any."""
    scores = []
    for annotated in studies:
        if not any(view in annotated.landmarks and view in annotated.study for view in finder.card.grids):
            continue
        found = {view: its.landmarks for view, its in finder.predict(annotated.study).items()}
        scores.append(score_landmarks(annotated.patient, found, annotated.landmarks, facts=annotated.facts))
        if report is not None:
            report(scores[-1])
    if not scores:
        wanted = ", ".join(view.title for view in finder.card.grids)
        raise InputError(f"no study has {wanted} landmarks; expected at least one to evaluate on")
    return scores


def score_landmarks(
    patient: str,
    predicted: Mapping[View, Landmarks],
    reference: Mapping[View, Landmarks],
    *,
    facts: Mapping[str, Any] | None = None,
) -> LandmarkScore:
    """Distances and motion of the views that both have."""
    shared = [view for view in predicted if view in reference]
    distances: dict[str, NDArray[np.float64]] = {}
    found: dict[str, float] = {}
    for view in shared:
        pair = predicted[view], reference[view]
        distances |= {f"{view}:{name}": values for name, values in landmark_distances_mm(*pair).items()}
        found |= {f"{view}:{name}": share for name, share in detection_rates(*pair).items()}
    measured, known = (_motion({view: its[view] for view in shared}) for its in (predicted, reference))
    return LandmarkScore(
        patient=patient,
        distances_mm=distances,
        found=found,
        measured=measured,
        reference=known,
        facts=facts or {},
    )


def summarise_landmarks(scores: Sequence[LandmarkScore], *, seed: int = 0) -> dict[str, Any]:
    """By point: the mean over studies of each one's median distance, and how often it was found; agreement of MAPSE
    and shortening with those of the reference points. Raises `InputError` where there is no score."""
    if not scores:
        raise InputError("nothing was evaluated; expected at least one study with landmarks")
    names = sorted({name for score in scores for name in score.distances_mm})
    rows = {name: [_median(score.distances_mm.get(name)) for score in scores] for name in names}
    of_all = [finite_mean(row) for row in zip(*rows.values(), strict=True)]
    return {
        "n_patients": len({score.patient for score in scores}),
        "distances_mm": {name: asdict(mean_interval(values, seed=seed)) for name, values in rows.items()},
        "distance_mm": asdict(mean_interval(of_all, seed=seed)),
        "found": {name: finite_mean(score.found.get(name, np.nan) for score in scores) for name in names},
        "measurements": _agreements(scores, seed),
    }


def _motion(landmarks: Mapping[View, Landmarks]) -> dict[str, float | None]:
    return {value.name: value.value for value in long_axis_values(landmarks)}


def _median(distances: NDArray[np.float64] | None) -> float:
    known = np.empty(0) if distances is None else distances[np.isfinite(distances)]
    return float(np.median(known)) if known.size else float("nan")


def _agreements(scores: Sequence[LandmarkScore], seed: int) -> dict[str, Any]:
    compared = {}
    for name in sorted({name for score in scores for name in score.reference}):
        measured, known = (
            np.array([np.nan if (value := its.get(name)) is None else value for its in sides])
            for sides in ([s.measured for s in scores], [s.reference for s in scores])
        )
        if np.isfinite(measured - known).sum() < 2:
            continue
        of_all = agreement(measured, known)
        compared[name] = {
            "bias": of_all.bias,
            "limits": [of_all.lower_limit, of_all.upper_limit],
            "mean_absolute_error": asdict(mean_interval(np.abs(measured - known), seed=seed)),
            "icc": of_all.icc,
        }
    return compared
