"""From a path or a study to an `Analysis`: read, segment, measure, classify."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.choices import StudyChoices
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.results import LandmarkPrediction, Measurements, Prediction
from cinema_cmr.core.run_facts import OptionValue, RunFacts, Stopwatch
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.disease.model import DiseaseModel, load_disease_model
from cinema_cmr.disease.study_classification import classify_study
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.loading import LANDMARK_MASK_MODEL, load_landmark_predictor, load_segmenter
from cinema_cmr.inference.long_axis_predictor import predict_landmarks, segment_long_axes
from cinema_cmr.inference.modality import modality_flags, study_for_model
from cinema_cmr.inference.predictor import predict_study
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.measurable import check_measurable
from cinema_cmr.measure.measure import measure_study
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES, ranges_of_rule
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.measure.quality.masks import fov_flags
from cinema_cmr.models.weights import weights_hash
from cinema_cmr.pipeline.analysis_options import Options

__all__ = ["Analyzer", "Report"]

Report = Callable[[str, int, int], None]
"""Called with the stage, the steps done and the steps in all."""


class Analyzer:
    """Analyses studies with one set of options; each model is loaded once, at the first study that needs it."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()

    def use_options(self, options: Options) -> None:
        """Take other facts and rules for the studies from now on; the models stay, so theirs must be the same."""
        if (options.inference, options.extra_models) != (self.options.inference, self.options.extra_models):
            raise UsageError(
                "other models for an analyzer that has loaded its own; expected the same: make another one"
            )
        self.options = options
        for name in ("_recorded_options", "series_choices"):
            self.__dict__.pop(name, None)

    def __repr__(self) -> str:
        return f"Analyzer({self.options.inference!r})"

    @cached_property
    def segmenter(self) -> Segmenter:
        """The segmentation model; may be set to one that is loaded already."""
        options = self.options.inference
        return load_segmenter(options.model, device=options.device, precision=options.precision, tta=options.tta)

    @cached_property
    def long_axis_segmenter(self) -> Segmenter | None:
        """The segmentation model of the long-axis cines, or None."""
        name, options = self.options.extra_models.long_axis, self.options.inference
        return None if name is None else load_segmenter(name, device=options.device, precision=options.precision)

    @cached_property
    def landmark_predictor(self) -> LandmarkPredictor | None:
        """The landmark model of the long-axis cines, or None."""
        name, options = self.options.extra_models.landmarks, self.options.inference
        if name is None:
            return None
        return load_landmark_predictor(name, device=options.device, precision=options.precision)

    @cached_property
    def disease_model(self) -> DiseaseModel | None:
        """The disease-group model, or None."""
        name = self.options.extra_models.disease
        return None if name is None else load_disease_model(name)

    def analyse(self, source: Study | Path | str, *, name: str | None = None, report: Report | None = None) -> Analysis:
        """Read, segment and measure a study; `name` replaces the stem of its path, `report` follows the stages.

        Raises `InputError` and its kinds for an input that cannot be read or measured: without a short-axis cine, with
        one frame, or with fewer than three slices.
        """
        report = report or (lambda stage, done, total: None)
        watch = Stopwatch()
        with watch.stage("read"):
            report("read", 0, 1)
            study = self._read(source, name)
            digest = None if isinstance(source, Study) else input_digest(source)
            study = replace(study, subject=self.options.subject.fill_from(study.subject))
        self._load_models(study, watch)
        card = self.segmenter.card
        if View.SAX in card.grids:
            single_frame = self.options.single_frame or card.modality != "cine"
            check_measurable(study, self.options.measure, single_frame=single_frame)
        study = study_for_model(study, card)
        with watch.stage("segment"):
            predictions = predict_study(study, self.segmenter, report=lambda done, n: report("segment", done, n))
        with watch.stage("long axis"):
            predictions |= segment_long_axes(study, self.long_axis_segmenter, predicted=predictions)
            landmarks = predict_landmarks(study, predictions, self.landmark_predictor)
        with watch.stage("measure"):
            measurements = self._measure(study, predictions, landmarks)
        return Analysis(
            study=study,
            predictions=predictions,
            measurements=measurements,
            run=replace(self.run_facts(digest), seconds=watch.seconds),
            landmarks=landmarks,
            normal_ranges=ranges_of_rule(self.options.normal_ranges, self.options.measure.papillary_rule),
        )

    def _read(self, source: Study | Path | str, name: str | None) -> Study:
        if not isinstance(source, Study):
            return read_study(source, name=name, choices=self.series_choices)
        if self.series_choices:
            raise UsageError("decisions on series need a path; expected a folder or file: pass them to read_study")
        return source

    @cached_property
    def series_choices(self) -> StudyChoices:
        """The user's decisions on series."""
        return self.options.series.choices()

    def run_facts(self, input_sha256: str | None) -> RunFacts:
        """Return the facts of a run of these models and options on an input."""
        card, runtime = self.segmenter.card, self.segmenter.runtime
        return RunFacts(
            model_name=card.name,
            model_hash=card.weights_sha256 or None,
            device=runtime.device,
            precision=runtime.precision,
            options=self._recorded_options,
            inference_settings=self.segmenter.inference_settings,
            input_sha256=input_sha256,
        )

    def _load_models(self, study: Study, watch: Stopwatch) -> None:
        """Load all models that the study needs, so that an unknown name is an error before the long part."""
        with watch.stage("load model"):
            _ = self.disease_model, self.segmenter
        if any(cine.view not in (View.SAX, View.OTHER) for cine in study):
            with watch.stage("load long-axis models"):
                _ = self.long_axis_segmenter, self.landmark_predictor

    def _measure(
        self, study: Study, predictions: Mapping[View, Prediction], landmarks: Mapping[View, LandmarkPrediction]
    ) -> Measurements:
        """Measure and classify, with the flags of images, landmarks and models added."""
        plausible, landmark_flags = plausible_by_view(landmarks)
        found = measure_study(study, predictions, options=self.options.measure, landmarks=plausible)
        model = self.disease_model
        flags = (
            *modality_flags(study, predictions.values(), self.segmenter.card),
            *self.segmenter.model_flags(),
            *landmark_flags,
            *found.flags,
            *fov_flags(one for view, one in predictions.items() if view is not View.SAX),
            *(self.landmark_predictor.model_flags(landmarks) if self.landmark_predictor else ()),
        )
        stack = predictions.get(View.SAX)
        classification = None if model is None else classify_study(study, stack, found, model)
        return replace(found, flags=flags, classification=classification)

    @cached_property
    def _recorded_options(self) -> dict[str, OptionValue]:
        """Options that affect the result, as recorded in run.json; models by the hash of their weights."""
        options, extra = self.options, self.options.extra_models
        hashed = {"long_axis": extra.long_axis, "landmarks": extra.landmarks}
        hashed["landmark_masks"] = extra.landmarks and LANDMARK_MASK_MODEL
        own_ranges = options.normal_ranges != NORMAL_RANGES
        ranges = hashlib.sha256(repr(options.normal_ranges).encode()).hexdigest() if own_ranges else None
        return {
            "tta": self.segmenter.tta,
            "single_frame": options.single_frame,
            "disease_sha256": self.disease_model and self.disease_model.sha256,
            **{f"{name}_sha256": model and weights_hash(model) for name, model in hashed.items()},
            **asdict(options.measure),
            **({"normal_ranges_sha256": ranges} if ranges else {}),
            **({"series_choices_sha256": self.series_choices.digest} if self.series_choices else {}),
            **{f"given_{name}": value for name, value in vars(options.subject).items() if value is not None},
        }
