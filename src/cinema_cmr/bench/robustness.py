"""One patient's stack under one change: overlap, EF, flags, and indicators of a wrong prediction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.bench.changed_case import ChangedCase
from cinema_cmr.bench.perturb import Scan, perturbed, quarter_turned
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import Flag, HeartLocation, Measurements, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.image.resample import CropResample
from cinema_cmr.inference.confidence import expected_dice
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.measure.measure import measure_study
from cinema_cmr.score.overlap import dice_by_class
from cinema_cmr.tasks.mask_scores import labelled_cine

__all__ = ["EF_NAMES", "ESTIMATORS", "outcome", "scan_of"]

EF_NAMES = ("lv_ef_percent", "rv_ef_percent")

ESTIMATORS = ("mean_prob", "soft_dice", "turned_dice")
"""Of each structure: mean probability in its label, expected Dice, Dice with the result of the rotated image."""

Labels = NDArray[np.uint8]


class _Watched(Segmenter):
    """A segmenter that keeps, of each frame it gives on the native grid, what its probabilities tell."""

    def __init__(self, inner: Segmenter) -> None:
        super().__init__(inner.loaded, inner.runtime, tta=inner.tta)
        self.seen: list[dict[str, dict[str, float]]] = []

    def native(self, probabilities: NDArray[np.float32], crop: CropResample) -> NDArray[np.float32]:
        whole = super().native(probabilities, crop)
        labels = whole.argmax(axis=-1).astype(np.uint8)
        self.seen.append({"mean_prob": _mean_prob(whole, labels), "soft_dice": expected_dice(whole, labels)})
        return whole


def scan_of(annotated: AnnotatedStudy) -> Scan:
    """The labelled short-axis frames as a cine of their own."""
    labels = annotated.labels[View.SAX].select(annotated.labelled_frames[View.SAX])
    return Scan(cine=labelled_cine(annotated), labels=labels.array)


def outcome(annotated: AnnotatedStudy, segmenter: Segmenter, *, change: str = "none", seed: int = 0) -> ChangedCase:
    """What the model makes of a study's labelled frames, together as one cine, after a change."""
    original = scan_of(annotated)
    scan = perturbed(original, change, seed=seed)
    watched = _Watched(segmenter)
    prediction = predict_cine(scan.cine, watched)
    turned = _turned_dice(scan, prediction, segmenter)
    measured = measure_study(replace(annotated.study, cines=(scan.cine,)), {View.SAX: prediction})
    frames = range(scan.labels.shape[3])
    return ChangedCase(
        patient=annotated.patient,
        change=change,
        dice=tuple(_rounded(dice_by_class(prediction.labels.array[..., t], scan.labels[..., t])) for t in frames),
        measured=_ef(measured),
        reference=_ef(_measured_by_hand(annotated.study, original)),
        flags=_codes(flag for flag in measured.flags if flag.severity != "info"),
        notes=_codes(flag for flag in measured.flags if flag.severity == "info"),
        confidence=tuple(round(float(value), 4) for value in prediction.confidence),
        estimators=tuple(
            {name: _rounded(values) for name, values in {**seen, "turned_dice": its}.items()}
            # A heart larger than the field of view is predicted again: the last predictions count.
            for seen, its in zip(watched.seen[-len(turned) :], turned, strict=True)
        ),
    )


def _codes(flags: Iterable[Flag]) -> tuple[str, ...]:
    return tuple(sorted({flag.code for flag in flags}))


def _mean_prob(prob: NDArray[np.float32], labels: Labels) -> dict[str, float]:
    """Mean probability of a structure where it is labelled; NaN where it is not."""
    return {
        label.name: float(prob[..., label.code][labels == label.code].mean())
        if (labels == label.code).any()
        else float("nan")
        for label in CINE_LABELS
    }


def _turned_dice(scan: Scan, prediction: Prediction, segmenter: Segmenter) -> Sequence[dict[str, float]]:
    """Overlap, by frame, of the prediction with that of the same image rotated by 90 degrees."""
    predicted = Scan(cine=scan.cine, labels=prediction.labels.array)
    i, j = prediction.location.centre
    turned = quarter_turned(predicted)
    again = predict_cine(turned.cine, segmenter, centre=(scan.cine.array.shape[1] - 1 - j, i)).labels.array
    return [dice_by_class(again[..., t], turned.labels[..., t]) for t in range(again.shape[3])]


def _measured_by_hand(study: Study, scan: Scan) -> Measurements:
    """What the expert's masks measure, by the rules for predictions."""
    prediction = Prediction(
        view=View.SAX,
        labels=LabelMap(array=scan.labels),
        confidence=np.full(scan.labels.shape[3], np.nan, np.float32),
        location=HeartLocation(centre=(0.0, 0.0), method="given"),
    )
    return measure_study(replace(study, cines=(scan.cine,)), {View.SAX: prediction})


def _ef(measured: Measurements) -> dict[str, float]:
    values = {name: measured.value(name) for name in EF_NAMES}
    return {name: float("nan") if value is None else round(value, 2) for name, value in values.items()}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in values.items()}
