"""How good a model is on labelled studies: per patient, on the native grid, with the heart found from the images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.results import Flag, HeartLocation, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.inference.modality import modality_flag
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.score.agreement import agreement, scan_rescan_interval
from cinema_cmr.score.overlap import class_masks, dice_by_class, dice_by_slice
from cinema_cmr.score.statistics import Interval, finite_mean, mean_interval
from cinema_cmr.score.surface import surface_distances_by_class

__all__ = [
    "SCAR_SHARES",
    "VOLUMES",
    "PatientScore",
    "by_patient",
    "evaluate_masks",
    "evaluate_segmentation",
    "scored_views",
    "summarise",
]

VOLUMES = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_esv_ml", "rv_ef_percent")
"""Measurements that are compared with those of the expert's masks, measured by the same rules."""

SCAR_SHARES = ("infarct_percent", "no_reflow_percent")
"""Those of late enhancement."""

_COMPARED = {"cine": VOLUMES, "scar": SCAR_SHARES}
_LESIONS = ("infarct", "no_reflow")

DEFAULT_RULES = MeasureOptions()

_LV = next(label.code for label in CINE_LABELS if label.name == "lv")


@dataclass(frozen=True, kw_only=True)
class PatientScore:
    """One patient: overlap and distance by structure and frame, measurements of both masks."""

    patient: str
    frames: tuple[Mapping[str, float], ...]
    """Of each labelled frame: dice, worst_slice_dice, hd95 and assd, each with the structure's name behind; of a long
    axis with the view's before it, `dice_lax_4c_lv`."""
    measured: Mapping[str, float | None]
    """From the predicted masks."""
    reference: Mapping[str, float | None]
    """From the expert's masks."""
    located: tuple[str, ...]
    """How the heart was found in each frame."""
    facts: Mapping[str, Any]
    study: str = ""
    predicted: LabelMap | None = field(default=None, repr=False)
    """The mask of the labelled frames, (x, y, z, t), to draw it."""
    confidence: float = float("nan")
    """Mean probability inside the outlines over the frames; NaN where masks came without."""
    flags: tuple[Flag, ...] = ()
    """Quality flags that the predicted masks raised; what is odd in the images themselves is left out."""

    def mean(self, name: str) -> float:
        """Mean of a score over the patient's frames; NaN where no frame has it."""
        return finite_mean(frame[name] for frame in self.frames if name in frame)


def evaluate_segmentation(
    studies: Iterable[AnnotatedStudy],
    segmenter: Segmenter,
    *,
    together: bool = False,
    report: Callable[[PatientScore], None] | None = None,
) -> list[PatientScore]:
    """Scores of every patient's labelled frames of the model's views (`scored_views`).

    Each frame is predicted by itself, as `cinema segment FRAME.nii.gz` sees it; with `together`, all frames of a
    patient as one cine, so that motion may help to find the heart. Volumes and EF of both short-axis masks are
    measured by the same rules (`measure_study`); of long-axis masks nothing is. Raises `InputError` for a study
    without labels of these views, or with labels of another scheme.
    """
    scores = []
    for annotated in studies:
        scores.append(_scored(annotated, segmenter, together=together))
        if report is not None:
            report(scores[-1])
    return scores


def scored_views(card: ModelCard) -> tuple[View, ...]:
    """The views of which a model's masks are scored: the short axis where it has it, else all of its views."""
    return (View.SAX,) if View.SAX in card.grids else tuple(card.grids)


def evaluate_masks(
    studies: Iterable[AnnotatedStudy],
    read: Callable[[AnnotatedStudy], NDArray[np.uint8]],
    *,
    report: Callable[[PatientScore], None] | None = None,
) -> list[PatientScore]:
    """Scores of masks that something else made, as `evaluate_segmentation` scores a model's.

    `read` gives the codes of a study's labelled short-axis frames, (x, y, z, t) on the image's own grid. There is
    no confidence in a mask. Raises what `read` raises, `InputError` for masks of another shape.
    """
    scores = []
    for annotated in studies:
        cine, frames = _labelled_cine(annotated)
        labels = read(annotated)
        if labels.shape != cine.array.shape:
            raise InputError(
                f"masks of '{annotated.study.name}' have shape {labels.shape}, its {len(frames)} labelled frames"
                f" {cine.array.shape}; expected masks on the images' own grid"
            )
        prediction = _mask_as_prediction(labels, annotated.labels[View.SAX].scheme)
        scores.append(_patient_score(annotated, cine, prediction, located=("given",) * len(frames)))
        if report is not None:
            report(scores[-1])
    return scores


def summarise(scores: Sequence[PatientScore], *, seed: int = 0) -> dict[str, Any]:
    """Means over patients with BCa intervals, agreement of volumes and EF, and how well they repeat, as plain values.

    A patient with several studies counts once, with their mean; patients scanned twice (two studies with different
    `scan` in their facts) also give each measurement's coefficient of variation, in percent. Raises `InputError`
    where there is no score.
    """
    if not scores:
        raise InputError("nothing was evaluated; expected at least one labelled study")
    names = sorted({name for score in scores for frame in score.frames for name in frame})
    dices = [name for name in names if name.startswith("dice_")]
    patients = by_patient(scores)
    by_name = {name: [finite_mean(s.mean(name) for s in its) for its in patients] for name in names}
    by_name["dice_mean"] = [finite_mean(row) for row in zip(*(by_name[name] for name in dices), strict=True)]
    return {
        "n_patients": len(patients),
        "n_studies": len(scores),
        "scores": {name: _interval(mean_interval(values, seed=seed)) for name, values in by_name.items()},
        "measurements": _agreements(patients, seed),
        "repeatability": _repeatability(patients, seed),
    }


def by_patient(scores: Sequence[PatientScore]) -> list[list[PatientScore]]:
    """The scores of each patient's studies together, patients in the order they came."""
    found: dict[str, list[PatientScore]] = {}
    for score in scores:
        found.setdefault(score.patient, []).append(score)
    return list(found.values())


def _agreements(patients: Sequence[Sequence[PatientScore]], seed: int) -> dict[str, Any]:
    compared = {}
    for name in patients[0][0].measured:
        measured, reference = (
            np.array([_mean_of(getattr(s, which)[name] for s in its) for its in patients])
            for which in ("measured", "reference")
        )
        if np.isfinite(measured - reference).sum() < 2:
            continue
        of_all = agreement(measured, reference)
        error = mean_interval(np.abs(measured - reference), seed=seed)
        compared[name] = {
            "bias": of_all.bias,
            "limits": [of_all.lower_limit, of_all.upper_limit],
            "mean_absolute_error": _interval(error),
            "icc": of_all.icc,
        }
    return compared


def _repeatability(patients: Sequence[Sequence[PatientScore]], seed: int) -> dict[str, Any]:
    """Measurement -> scan-rescan variation of the predicted and of the reference masks; empty without two pairs."""
    pairs = [its for its in patients if len(its) == 2 and len({s.facts.get("scan") for s in its} - {None}) == 2]
    found: dict[str, Any] = {}
    for name in pairs[0][0].measured if len(pairs) > 1 else ():
        rows = {}
        for which in ("measured", "reference"):
            values = np.array([[_mean_of([getattr(s, which)[name]]) for s in its] for its in pairs])
            positive = np.where((values.mean(axis=1) > 0)[:, None], values, np.nan)
            if np.isfinite(positive).all(axis=1).sum() > 1:
                rows[which] = _interval(scan_rescan_interval(*positive.T, seed=seed))
        if rows:
            found[name] = rows
    return found


def _mean_of(values: Iterable[float | None]) -> float:
    return finite_mean(float("nan") if value is None else value for value in values)


def _interval(interval: Interval) -> dict[str, Any]:
    return {key: getattr(interval, key) for key in ("value", "low", "high", "method", "n", "n_excluded")}


def _scored(annotated: AnnotatedStudy, segmenter: Segmenter, *, together: bool) -> PatientScore:
    views = [view for view in scored_views(segmenter.card) if annotated.labelled_frames.get(view)]
    if not views:
        wanted = ", ".join(view.title for view in scored_views(segmenter.card))
        raise InputError(f"study '{annotated.study.name}' has no labels of the model's views ({wanted})")
    for view in views:
        _check_scheme(annotated.study.name, annotated.labels[view].scheme, segmenter)
    if views != [View.SAX]:
        return _scored_planes(annotated, segmenter, views, together=together)
    cine, _ = _labelled_cine(annotated)
    joined, located = _predicted(cine, segmenter, together=together)
    score = _patient_score(annotated, cine, joined, located=located)
    mismatch = modality_flag(replace(annotated.study, cines=(cine,)), joined, segmenter.card)
    return score if mismatch is None else replace(score, flags=(mismatch, *score.flags))


def _scored_planes(
    annotated: AnnotatedStudy, segmenter: Segmenter, views: Sequence[View], *, together: bool
) -> PatientScore:
    """Long-axis masks: overlap and distance of each view's frames."""
    places = heart_positions(annotated.study)
    frames: list[Mapping[str, float]] = []
    methods: list[str] = []
    probs: list[float] = []
    for view in views:
        cine, labelled = _labelled_cine(annotated, view)
        prediction, located = _predicted(cine, segmenter, together=together, place=places.get(view))
        predicted, truth = prediction.labels.array, annotated.labels[view].array[..., list(labelled)]
        frames += [
            _frame_scores(predicted[..., t], truth[..., t], cine, prediction.labels.scheme, annotated.structures)
            for t in range(len(labelled))
        ]
        methods += located
        probs += [float(value) for value in prediction.confidence]
    return PatientScore(
        patient=annotated.patient,
        frames=tuple(frames),
        measured={},
        reference={},
        located=tuple(methods),
        facts=annotated.facts,
        study=annotated.study.name,
        confidence=finite_mean(probs),
    )


def _predicted(
    cine: Cine, segmenter: Segmenter, *, together: bool, place: tuple[float, float] | None = None
) -> tuple[Prediction, tuple[str, ...]]:
    """One prediction of all frames, and how the heart was found: once for all together, or in each frame."""
    if together:
        predictions = [predict_cine(cine, segmenter, place=place)]
    else:
        alone = (_of_frames(cine, (frame,)) for frame in range(cine.n_frames))
        predictions = [predict_cine(one, segmenter, place=place) for one in alone]
    located = tuple(prediction.location.method for prediction in predictions)
    return (predictions[0] if together else _joined(predictions)), located


def _joined(predictions: Sequence[Prediction]) -> Prediction:
    """One prediction of all frames of those of one frame each."""
    first = predictions[0]
    return replace(
        first,
        labels=replace(first.labels, array=np.concatenate([p.labels.array for p in predictions], axis=3)),
        confidence=np.concatenate([p.confidence for p in predictions]),
        removed_components=tuple(
            replace(piece, frame=t) for t, p in enumerate(predictions) for piece in p.removed_components
        ),
    )


def _mask_as_prediction(labels: NDArray[np.uint8], scheme: str) -> Prediction:
    return Prediction(
        view=View.SAX,
        labels=LabelMap(array=labels, scheme=scheme),
        confidence=np.full(labels.shape[3], np.nan, np.float32),
        location=HeartLocation(centre=(0.0, 0.0), method="given"),
    )


def _patient_score(
    annotated: AnnotatedStudy, cine: Cine, prediction: Prediction, *, located: tuple[str, ...]
) -> PatientScore:
    frames = annotated.labelled_frames[View.SAX]
    scheme, predicted = prediction.labels.scheme, prediction.labels.array
    truth = annotated.labels[View.SAX].array[..., list(frames)]
    study = replace(annotated.study, cines=(cine,))
    measured, flags = _measured(study, prediction)
    return PatientScore(
        patient=annotated.patient,
        frames=tuple(
            _frame_scores(predicted[..., t], truth[..., t], cine, scheme, annotated.structures)
            for t in range(len(frames))
        ),
        measured=measured,
        reference=_reference(study, truth, scheme, annotated.structures),
        located=located,
        facts=annotated.facts,
        study=annotated.study.name,
        predicted=prediction.labels,
        confidence=finite_mean(float(value) for value in prediction.confidence),
        flags=flags,
    )


def _check_scheme(name: str, scheme: str, segmenter: Segmenter) -> None:
    if scheme != segmenter.card.label_scheme:
        raise InputError(
            f"study '{name}' has labels of scheme '{scheme}', model '{segmenter.card.name}' gives"
            f" '{segmenter.card.label_scheme}'; expected a model of the same"
        )


def _labelled_cine(annotated: AnnotatedStudy, view: View = View.SAX) -> tuple[Cine, tuple[int, ...]]:
    """The cine of a view's labelled frames alone."""
    cine, frames = annotated.study.cine(view), annotated.labelled_frames[view]
    return _of_frames(cine, frames), frames


def _of_frames(cine: Cine, frames: Sequence[int]) -> Cine:
    return replace(cine.select(frames=list(frames)), frame_times_ms=None)


def _frame_scores(
    predicted: NDArray[np.uint8], truth: NDArray[np.uint8], cine: Cine, scheme: str, structures: tuple[str, ...]
) -> dict[str, float]:
    """Scores of one frame; with `structures`, of these alone and only in slices that hold an expert's label."""
    if structures:
        drawn = (truth > 0).any(axis=(0, 1))
        predicted = np.where(drawn, predicted, 0).astype(np.uint8)
    of = f"{cine.view}_" if cine.view.is_long_axis else ""
    scores = {f"dice_{of}{name}": value for name, value in dice_by_class(predicted, truth, scheme=scheme).items()}
    for name, of_prediction, of_truth in class_masks(predicted, truth, scheme=scheme):
        if not of:
            slices = dice_by_slice(of_prediction, of_truth)[of_truth.any(axis=(0, 1))]
            scores[f"worst_slice_dice_{name}"] = float(slices.min()) if slices.size else float("nan")
        if name in _LESIONS and not of:
            # The rule of `score.overlap` gives 0 for one invented; here only patients who have one count.
            scores[f"where_present_dice_{name}"] = scores[f"dice_{name}"] if of_truth.any() else float("nan")
    distances = surface_distances_by_class(
        predicted, truth, scheme=scheme, pixel_mm=cine.spacing_mm[:2], slice_positions_mm=cine.slice_positions_mm
    )
    for name, distance in distances.items():
        scores[f"hd95_{of}{name}_mm"], scores[f"assd_{of}{name}_mm"] = distance
    return {key: value for key, value in scores.items() if not structures or _is_of(key, structures)}


def _is_of(score: str, structures: tuple[str, ...]) -> bool:
    return any(name in score.split("_") for name in structures)


def _reference(
    study: Study, labels: NDArray[np.uint8], scheme: str, structures: tuple[str, ...]
) -> dict[str, float | None]:
    """Values of the expert's masks; where the wall was not drawn every contoured slice counts."""
    if not structures:
        return _measured(study, _mask_as_prediction(labels, scheme))[0]
    cavity = np.where(labels == _LV, labels, 0).astype(np.uint8)
    rules = MeasureOptions(basal_rule="all-slices")
    known, _ = _measured(study, _mask_as_prediction(cavity, scheme), rules)
    return {name: known[name] if name in ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent") else None for name in VOLUMES}


def _measured(
    study: Study, prediction: Prediction, options: MeasureOptions = DEFAULT_RULES
) -> tuple[dict[str, float | None], tuple[Flag, ...]]:
    """The compared values of a mask, and the flags that it raised (not those of the images); none in a scheme of
    which nothing is measured."""
    if prediction.labels.scheme not in _COMPARED:
        return {}, ()
    measured = measure_study(study, {View.SAX: prediction}, options=options)
    of_images = {issue.code for issue in study.issues}
    flags = tuple(flag for flag in measured.flags if flag.code not in of_images)
    return {name: measured.value(name) for name in _COMPARED[prediction.labels.scheme]}, flags
