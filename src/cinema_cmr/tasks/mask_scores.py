"""Scores of predicted masks against expert masks: overlap and distance by frame, and what both of them measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.study import Facts, Study
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, CINE_LABELS, LABEL_UNIONS, VENTRICULAR_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.measure.long_axis.cut import points_of_cut
from cinema_cmr.measure.measure import MeasureOptions, measure_masks, measure_study
from cinema_cmr.score.landmarks import hinge_and_apex_distances_mm
from cinema_cmr.score.overlap import Mask, class_masks, dice, dice_by_slice
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.score.surface import surface_distances_by_class
from cinema_cmr.tasks.result import Result

__all__ = ["LOW_DICE", "MAX_EF_ERROR", "labelled_cine", "score_stack", "score_views"]

LOW_DICE = 0.7
"""A structure of the heart's anatomy below this in one labelled frame is a failure."""

MAX_EF_ERROR = 10.0
"""Percentage points of ejection fraction; a larger error is a failure."""

VOLUMES = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_esv_ml", "rv_ef_percent")
"""Measurements of a cine that are compared with those of the expert's masks, measured by the same rules."""

SCAR_SHARES = ("infarct_percent", "no_reflow_percent")
"""Measurements of late enhancement that are compared."""

_COMPARED = {"cine": VOLUMES, "scar": SCAR_SHARES}
_MEASURED_OF = {
    "lv": ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent"),
    "rv": ("rv_edv_ml", "rv_esv_ml", "rv_ef_percent"),
    "myo": ("lv_mass_g",),
}
"""Drawn structure -> what it alone suffices to measure."""
_ATRIA = tuple(f"_{label.name}" for label in ATRIUM_LABELS)
"""Ends of the scores of atria; `dice_mean` leaves them out, so that networks with and without atria compare."""
_LESIONS = ("infarct", "no_reflow")
_ANATOMY = ("lv", "myo", "rv", "lv_cavity", "myocardium")
"""Structures of both schemes that every heart has; a missed lesion is no failure to outline the heart."""

_VIEWS_OF_HINGES = (View.LAX_4C, View.LAX_2C)
"""Views whose opening of the left ventricle is the mitral valve alone; a 3-chamber cavity opens into the aorta too."""

_LV = next(label.code for label in CINE_LABELS if label.name == "lv")
_DEFAULTS = MeasureOptions()

Labels = NDArray[np.uint8]
Measured = Mapping[str, float | None]


def labelled_cine(annotated: AnnotatedStudy, view: View = View.SAX, frames: Sequence[int] | None = None) -> Cine:
    """Return the cine of a view's labelled frames, or of the given ones, alone."""
    chosen = list(annotated.labelled_frames[view] if frames is None else frames)
    return replace(annotated.study[view].select(frames=chosen), frame_times_ms=None)


def score_stack(annotated: AnnotatedStudy, labels: LabelMap, prediction: Prediction | None = None) -> Result:
    """Score a mask of the labelled short-axis frames; with the model's `prediction`, its confidence and flags too."""
    cine, truth = labelled_cine(annotated), _truth(annotated, View.SAX)
    study = replace(annotated.study, cines=(cine,))
    measured, flags = _measured(study, labels, prediction=prediction)
    result = _result(
        annotated,
        _frames(labels, truth, cine),
        measured=measured,
        reference=_reference(study, truth),
        flags=flags,
        labels=labels,
    )
    result = replace(result, scores={**result.scores, **_errors_to_facts(measured, annotated.facts)})
    return result if prediction is None else replace(result, confidence=_mean([prediction]))


def _errors_to_facts(measured: Measured, facts: Facts) -> dict[str, float]:
    """Absolute error of each measurement that the dataset states as a fact, such as a volume read elsewhere."""
    errors = {}
    for name in VOLUMES:
        fact, value = facts.get(name), measured.get(name)
        if isinstance(fact, float):
            errors[f"error_to_fact_{name}"] = float("nan") if value is None else abs(value - fact)
    return errors


def score_views(annotated: AnnotatedStudy, predictions: Mapping[View, Prediction]) -> Result:
    """Score predictions of the labelled long-axis frames of each view; nothing is measured of them."""
    frames = [
        frame
        for view, prediction in predictions.items()
        for frame in _frames(prediction.labels, _truth(annotated, view), labelled_cine(annotated, view))
    ]
    result = _result(annotated, frames)
    return replace(result, confidence=_mean(predictions.values()))


def _result(
    annotated: AnnotatedStudy,
    frames: Sequence[Mapping[str, float]],
    *,
    measured: Measured | None = None,
    reference: Measured | None = None,
    flags: tuple[Flag, ...] = (),
    labels: LabelMap | None = None,
) -> Result:
    names = sorted({name for frame in frames for name in frame})
    scores = {name: finite_mean(frame[name] for frame in frames if name in frame) for name in names}
    scores["dice_mean"] = finite_mean(
        value for name, value in scores.items() if name.startswith("dice_") and not name.endswith(_ATRIA)
    )
    result = Result(
        study=annotated.study.name,
        patient=annotated.patient,
        facts=annotated.facts,
        scores=scores,
        measured=measured or {},
        reference=reference or {},
        flags=flags,
        frames=tuple(frames),
        labels=labels,
    )
    return replace(result, failure=_failure(result))


def _failure(result: Result) -> str | None:
    """Why the outlines of a study count as failed, in words."""
    reasons = []
    for name in _ANATOMY:
        dices = [dice for frame in result.frames if not np.isnan(dice := frame.get(f"dice_{name}", np.nan))]
        if dices and min(dices) < LOW_DICE:
            reasons.append(f"{name} Dice {min(dices):.2f}")
    for name, title in (("lv_ef_percent", "LVEF"), ("rv_ef_percent", "RVEF")):
        if abs(result.error(name)) > MAX_EF_ERROR:
            reasons.append(f"{title} off by {result.error(name):+.0f} points")
    return "; ".join(reasons) or None


def _frames(labels: LabelMap, truth: LabelMap, cine: Cine) -> list[dict[str, float]]:
    return [_frame_scores(labels.array[..., t], truth, t, cine) for t in range(truth.array.shape[3])]


def _frame_scores(predicted: Labels, reference: LabelMap, frame: int, cine: Cine) -> dict[str, float]:
    """Scores of one frame; of a part-labelled study only those of drawn structures in drawn slices."""
    truth, scheme = reference.array[..., frame], reference.scheme
    if reference.drawn_slices is not None:
        predicted = np.where(reference.drawn_slices[:, frame], predicted, 0).astype(np.uint8)
    of, scores = f"{cine.view}_" if cine.view.is_long_axis else "", dict[str, float]()
    distances = surface_distances_by_class(
        predicted, truth, scheme=scheme, pixel_mm=cine.spacing_mm[:2], slice_positions_mm=cine.slice_positions_mm
    )
    for name, of_prediction, of_truth in class_masks(predicted, truth, scheme=scheme):
        if not _is_drawn(name, reference):
            continue
        scores[f"dice_{of}{name}"] = dice(of_prediction, of_truth)
        scores[f"hd95_{of}{name}_mm"], scores[f"assd_{of}{name}_mm"] = distances[name]
        if not of:
            scores |= _stack_scores(name, of_prediction, of_truth)
    if cine.view in _VIEWS_OF_HINGES and scheme in VENTRICULAR_SCHEMES and _is_drawn("lv", reference):
        scores |= _point_scores(predicted[:, :, 0], truth[:, :, 0], cine)
    return scores


def _is_drawn(name: str, reference: LabelMap) -> bool:
    """Return whether a structure was drawn, or each part of a union of structures."""
    parts = LABEL_UNIONS.get(reference.scheme, {}).get(name, (name,))
    return not reference.drawn or set(parts) <= set(reference.drawn)


def _point_scores(predicted: Labels, truth: Labels, cine: Cine) -> dict[str, float]:
    """Distances of hinge points and apex, read off both masks by the same rule; NaN where the prediction has none."""
    spacing_mm = cine.spacing_mm[:2]
    found, drawn = (points_of_cut(mask == _LV, spacing_mm) for mask in (predicted, truth))
    if drawn is None:
        return {}
    apart = (float("nan"),) * 2
    if found is not None:
        apart = hinge_and_apex_distances_mm(found * spacing_mm, drawn * spacing_mm)
    return {f"hinge_{cine.view}_lv_mm": apart[0], f"apex_{cine.view}_lv_mm": apart[1]}


def _stack_scores(name: str, predicted: Mask, truth: Mask) -> dict[str, float]:
    """The worst slice of a structure, and the Dice of a lesion in patients that have one."""
    slices = dice_by_slice(predicted, truth)[truth.any(axis=(0, 1))]
    scores = {f"worst_slice_dice_{name}": float(slices.min()) if slices.size else float("nan")}
    if name in _LESIONS:
        # The rule of `score.overlap` gives 0 for an invented lesion; here only patients with one count.
        scores[f"where_present_dice_{name}"] = dice(predicted, truth) if truth.any() else float("nan")
    return scores


def _reference(study: Study, truth: LabelMap) -> Measured:
    """Measurements of the expert's mask; where the wall was not drawn every drawn slice counts."""
    if truth.is_complete:
        return _measured(study, truth)[0]
    drawn = truth.drawn or tuple(_MEASURED_OF)
    codes = [label.code for label in CINE_LABELS if label.name in drawn]
    alone = replace(truth, array=np.where(np.isin(truth.array, codes), truth.array, 0).astype(np.uint8))
    options = _DEFAULTS if {"myo", "lv"} <= set(drawn) else MeasureOptions(basal_rule="all-slices")
    known, _ = _measured(study, alone, options=options)
    wanted = {name for structure in drawn for name in _MEASURED_OF.get(structure, ())}
    return {name: known[name] if name in wanted else None for name in VOLUMES}


def _measured(
    study: Study, labels: LabelMap, *, options: MeasureOptions = _DEFAULTS, prediction: Prediction | None = None
) -> tuple[Measured, tuple[Flag, ...]]:
    """The compared measurements of a mask and the flags that it raised; none of a scheme without measurements."""
    if labels.scheme not in _COMPARED:
        return {}, ()
    if prediction is None:
        measured = measure_masks(study, labels, options=options)
    else:
        measured = measure_study(study, {View.SAX: prediction}, options=options)
    of_images = {issue.code for issue in study.issues}
    flags = tuple(flag for flag in measured.flags if flag.code not in of_images)
    return {name: measured.value(name) for name in _COMPARED[labels.scheme]}, flags


def _truth(annotated: AnnotatedStudy, view: View) -> LabelMap:
    return annotated.labels[view].select(annotated.labelled_frames[view])


def _mean(predictions: Iterable[Prediction]) -> float:
    return finite_mean(float(value) for prediction in predictions for value in prediction.confidence)
