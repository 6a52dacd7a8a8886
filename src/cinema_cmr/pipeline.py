"""The whole arrow: a path or a study in; masks, measurements and a report out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cinema_cmr.core.errors import GeometryError, NoCineError
from cinema_cmr.core.results import DiseaseClassification, Flag, LandmarkPrediction, Measurements, Prediction
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.disease.features import disease_features
from cinema_cmr.disease.model import EMBEDDED_DISEASE_MODEL, DiseaseModel, load_disease_model
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.long_axis_predictor import predict_landmarks, segment_long_axes
from cinema_cmr.inference.modality import modality_flag
from cinema_cmr.inference.predictor import predict_study
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.output_folder import results_folder
from cinema_cmr.io.provenance import input_digest, mask_note
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.measure import MeasureOptions, measure_study
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES, NormalRange, normal_range
from cinema_cmr.measure.phases import check_given_frames
from cinema_cmr.measure.quality.landmarks import plausible_landmarks
from cinema_cmr.measure.quality.masks import fov_flag
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model, weights_hash
from cinema_cmr.report.build import build_document, mask_file, write_measurements_json
from cinema_cmr.report.measurements_csv import write_measurements_csv
from cinema_cmr.report.run import RunFacts, write_run_json

__all__ = [
    "DEFAULT_LANDMARK_MODEL",
    "DEFAULT_MODEL",
    "Analysis",
    "Options",
    "analyse",
    "chosen_options",
    "mask_origin",
    "prepare_finder",
    "prepare_long_axis",
    "prepare_segmenter",
    "segment",
]

DEFAULT_MODEL = "cinema-sax"
"""The embedded short-axis model."""

DEFAULT_LANDMARK_MODEL = "cinema-lax"
"""The embedded model of long-axis landmarks."""

_LANDMARK_MASKS = "cinema-lax-masks"
"""The embedded model whose masks help to find landmarks, in planes that no other model has drawn."""

_LEAST_SLICES = 3
"""Fewer slices say nothing of a volume."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may choose of an analysis."""

    model: str = DEFAULT_MODEL
    """Name of an embedded or published model, or the folder of one's own."""
    device: str = "auto"
    precision: str = "auto"
    tta: int | None = None
    """1, 2, 4 or 8 mirrored and turned views of an image that are averaged; None: as the model's card says."""
    subject: Subject = field(default_factory=Subject)
    """Facts given by the user; they go before what the files say."""
    single_frame: bool = False
    """Whether a stack of one frame is measured: volumes and mass of that frame, no ejection fraction."""
    disease: str | None = EMBEDDED_DISEASE_MODEL
    """Name or file of a model of disease groups that is asked about a cine study; None asks none."""
    long_axis: str | None = None
    """Name or folder of a model that segments long-axis cines beside the stack; None segments none."""
    landmarks: str | None = DEFAULT_LANDMARK_MODEL
    """Name or folder of a landmark model that is asked about 2- and 4-chamber cines; None asks none."""
    measure: MeasureOptions = field(default_factory=MeasureOptions)
    normal_ranges: tuple[NormalRange, ...] = NORMAL_RANGES


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """All that came of one study."""

    study: Study
    predictions: Mapping[View, Prediction]
    measurements: Measurements
    run: RunFacts
    normal_ranges: tuple[NormalRange, ...] = NORMAL_RANGES
    landmarks: Mapping[View, LandmarkPrediction] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """The content of measurements.json, as plain values."""
        return build_document(
            self.study, self.predictions, measurements=self.measurements, run=self.run, landmarks=self.landmarks
        )

    def write(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write report.html, measurements.json and .csv, segmentation/<view>.nii.gz and run.json into `folder`.

        Nothing appears before everything is written. Raises `OutputExistsError` where one of them is there
        already and `overwrite` is False; other files in the folder stay as they are.
        """
        seconds = dict(self.run.seconds)
        with results_folder(folder, last="run.json", overwrite=overwrite) as made:
            with _timed(seconds, "write"):
                self._write_results(made)
            write_run_json(replace(self.run, seconds=seconds), made / "run.json")
        return Path(folder)

    def _write_results(self, folder: Path) -> None:
        # Figures take most of a second to import, and masks alone need none.
        from cinema_cmr.report.html import write_report

        document = self.document
        run = self.run
        note = mask_note(
            input_sha256=run.input_sha256 or "", model_sha256=run.model_hash or "", options=run.inference_settings
        )
        for view, prediction in self.predictions.items():
            write_mask(prediction.labels, self.study.cine(view), folder / mask_file(view), note=note)
        write_measurements_json(document, folder / "measurements.json")
        write_measurements_csv(document, folder / "measurements.csv")
        ranges = _ranges(self.study.subject, self.measurements, self.normal_ranges)
        write_report(
            self.study,
            self.predictions,
            measurements=self.measurements,
            run=self.run,
            path=folder / "report.html",
            normal_ranges=ranges,
            landmarks=self.landmarks,
        )


def chosen_options(options: Options, segmenter: Segmenter) -> dict[str, Any]:
    """What changes a result beside the model: as run.json tells it."""
    return {
        "tta": segmenter.tta,
        "single_frame": options.single_frame,
        "disease_sha256": None if options.disease is None else load_disease_model(options.disease).sha256,
        "long_axis_sha256": None if options.long_axis is None else weights_hash(options.long_axis),
        "landmarks_sha256": None if options.landmarks is None else weights_hash(options.landmarks),
        "landmark_masks_sha256": None if options.landmarks is None else weights_hash(_LANDMARK_MASKS),
        **asdict(options.measure),
        **_own_ranges(options),
        **{f"given_{name}": value for name, value in vars(options.subject).items() if value is not None},
    }


def _own_ranges(options: Options) -> dict[str, str]:
    if options.normal_ranges == NORMAL_RANGES:
        return {}
    return {"normal_ranges_sha256": hashlib.sha256(repr(options.normal_ranges).encode()).hexdigest()}


def prepare_segmenter(options: Options, model: LoadedModel | None = None) -> Segmenter:
    """The model of the options, loaded once for any number of studies."""
    loaded = model or load_model(options.model)
    runtime = choose_runtime(options.device, options.precision)
    return Segmenter(loaded, runtime, tta=options.tta)


def prepare_long_axis(options: Options) -> Segmenter | None:
    """The long-axis segmentation model of the options; None where none is asked."""
    return None if options.long_axis is None else prepare_segmenter(replace(options, model=options.long_axis, tta=None))


def prepare_finder(options: Options) -> LandmarkPredictor | None:
    """The landmark model of the options, loaded once for any number of studies; None where none is asked.

    The embedded model of long-axis masks helps it in the planes that no other model has drawn.
    """
    if options.landmarks is None:
        return None
    segmenter = prepare_segmenter(replace(options, model=_LANDMARK_MASKS, tta=None))
    runtime = choose_runtime(options.device, options.precision)
    return LandmarkPredictor(load_model(options.landmarks), runtime, segmenter=segmenter)


def analyse(
    source: Study | Path | str,
    *,
    options: Options | None = None,
    segmenter: Segmenter | None = None,
    finder: LandmarkPredictor | None = None,
    long_axis: Segmenter | None = None,
    name: str | None = None,
    report: Callable[[str, int, int], None] | None = None,
) -> Analysis:
    """Read, segment and measure one study; `source` is a path or a study already read.

    `segmenter`, `finder` and `long_axis` are loaded models to be used again; `name` names outputs instead of the
    path's stem; `report` is called with the stage, the steps done and the steps there are. Raises `InputError` and
    its kinds for what cannot be read or measured: no short-axis cine, one frame, or fewer than three slices.
    """
    options = options or Options()
    told = report or _silent
    seconds: dict[str, float] = {}
    with _timed(seconds, "read"):
        told("read", 0, 1)
        study = source if isinstance(source, Study) else read_study(source, name=name)
        digest = None if isinstance(source, Study) else input_digest(source)
        study = replace(study, subject=options.subject.fill_from(study.subject))
    # Both models before the long part: a name that is none is told at once.
    pattern = None if options.disease is None else load_disease_model(options.disease)
    if segmenter is None:
        with _timed(seconds, "load model"):
            segmenter = prepare_segmenter(options)
    if any(cine.view not in (View.SAX, View.OTHER) for cine in study.cines):
        with _timed(seconds, "load long-axis models"):
            finder, long_axis = finder or prepare_finder(options), long_axis or prepare_long_axis(options)
    _check_measurable(study, segmenter, options)
    study = _as_the_model_takes_it(study, segmenter)
    with _timed(seconds, "segment"):
        predictions = predict_study(study, segmenter, report=lambda done, n: told("segment", done, n))
    with _timed(seconds, "long axis"):
        predictions |= segment_long_axes(study, long_axis, seen=predictions)
        landmarks = predict_landmarks(study, predictions, finder)
    with _timed(seconds, "measure"):
        measurements = _measured(study, predictions, landmarks, options=options)
        classification = _classification(study, predictions, measurements, pattern)
        model_flags = finder.model_flags() if finder is not None and landmarks else ()
        planes = _beyond_window(found for view, found in predictions.items() if view is not View.SAX)
        flags = (*_mismatches(study, predictions, segmenter), *measurements.flags, *planes, *model_flags)
        measurements = replace(measurements, flags=flags, classification=classification)
    run = _run_facts(segmenter, options, seconds, digest)
    return Analysis(
        study=study,
        predictions=predictions,
        measurements=measurements,
        run=run,
        normal_ranges=options.normal_ranges,
        landmarks=landmarks,
    )


def segment(
    source: Study | Path | str,
    path: Path | str,
    *,
    segmenter: Segmenter,
    overwrite: bool = False,
    warn: Callable[[Flag], None] | None = None,
) -> Mapping[View, Prediction]:
    """Segment one image and write its mask to `path`, on the image's own grid, as uint8.

    `warn` is called where the image looks like another modality than the model's, or the heart is larger than what the
    model looks at: the mask is written all the same.

    Where the source holds several views that the model takes, the view's name is put before the suffix. The
    header's description tells input and model by their hashes (`mask_origin`).
    """
    study = source if isinstance(source, Study) else read_study(source)
    note = "" if isinstance(source, Study) else mask_origin(source, segmenter)
    predictions = predict_study(study, segmenter)
    for view, prediction in predictions.items():
        target = Path(path) if len(predictions) == 1 else _with_view(Path(path), view)
        write_mask(prediction.labels, study.cine(view), target, note=note, overwrite=overwrite)
    if warn is not None:
        for flag in (*_mismatches(study, predictions, segmenter), *_beyond_window(predictions.values())):
            warn(flag)
    return predictions


def mask_origin(source: Path | str, segmenter: Segmenter) -> str:
    """What the header of a mask says of its making: hashes of input and model, and how the model was asked.

    Raises `InputError` where the source cannot be read.
    """
    return mask_note(
        input_sha256=input_digest(source),
        model_sha256=segmenter.card.weights_sha256 or "",
        options=segmenter.inference_settings,
    )


def _silent(stage: str, done: int, n: int) -> None:
    """Nobody wants to know."""


def _with_view(path: Path, view: View) -> Path:
    return path.with_name(path.name.replace(".nii", f"_{view}.nii", 1))


def _as_the_model_takes_it(study: Study, segmenter: Segmenter) -> Study:
    """A still short-axis image given to a model of late enhancement is taken for one; files do not tell.

    That it has one frame is then no issue.
    """
    still = View.SAX in study and study.cine(View.SAX).n_frames == 1
    if not still or segmenter.card.modality != "lge":
        return study
    issues = tuple(issue for issue in study.issues if issue.code != "single-frame")
    return replace(study, modality="lge", issues=issues)


def _measured(
    study: Study,
    predictions: Mapping[View, Prediction],
    landmarks: Mapping[View, LandmarkPrediction],
    *,
    options: Options,
) -> Measurements:
    """All measurements, with the landmarks that a heart can have and flags of the others."""
    judged = {view: plausible_landmarks(found) for view, found in landmarks.items()}
    kept = {view: its for view, (its, _) in judged.items() if its is not None}
    measured = measure_study(study, predictions, options=options.measure, landmarks=kept)
    landmark_flags = (flag for _, flags in judged.values() for flag in flags)
    return replace(measured, flags=(*landmark_flags, *measured.flags))


def _mismatches(study: Study, predictions: Mapping[View, Prediction], segmenter: Segmenter) -> tuple[Flag, ...]:
    """Flags of images that are not what the model was made for."""
    found = (modality_flag(study, prediction, segmenter.card) for prediction in predictions.values())
    return tuple(flag for flag in found if flag is not None)


def _beyond_window(predictions: Iterable[Prediction]) -> tuple[Flag, ...]:
    """Flags of hearts that did not fit into what the model looks at."""
    found = (fov_flag(prediction) for prediction in predictions)
    return tuple(flag for flag in found if flag is not None)


def _classification(
    study: Study, predictions: Mapping[View, Prediction], measurements: Measurements, model: DiseaseModel | None
) -> DiseaseClassification | None:
    """What the disease model says of a short-axis cine's masks; None where it has nothing to do with them."""
    seen = predictions.get(View.SAX)
    if model is None or seen is None or seen.labels.scheme != "cine" or study.modality != "cine":
        return None
    return model.classification(disease_features(measurements, study.cine(View.SAX), seen.labels))


def _check_measurable(study: Study, segmenter: Segmenter, options: Options) -> None:
    """Raise before the long part where nothing could be measured after it."""
    if View.SAX not in segmenter.card.grids:
        return
    if View.SAX not in study:
        left_out = "; ".join(f"{d.series}: {d.reason}" for d in study.decisions if not d.kept)
        raise NoCineError(
            f"study '{study.name}' has no short-axis stack, which volumes are measured from. "
            f"Left out: {left_out or 'nothing'}"
        )
    still = study.cine(View.SAX).n_frames == 1
    if still and not options.single_frame and segmenter.card.modality == "cine":
        raise NoCineError(
            f"the short-axis stack of '{study.name}' has one frame; an ejection fraction needs end-diastole and"
            " end-systole: give both in one folder or file, or --single-frame to measure this one alone"
        )
    check_given_frames(options.measure.ed_frame, options.measure.es_frame, study.cine(View.SAX).n_frames)
    n_slices = study.cine(View.SAX).n_slices
    if n_slices < _LEAST_SLICES:
        raise GeometryError(
            f"the short-axis stack of '{study.name}' has {n_slices} slice{'s' * (n_slices > 1)}; a volume needs at "
            f"least {_LEAST_SLICES}: give the whole stack (`cinema segment` takes single slices)"
        )


def _run_facts(
    segmenter: Segmenter, options: Options, seconds: Mapping[str, float], input_sha256: str | None
) -> RunFacts:
    return RunFacts(
        model_name=segmenter.card.name,
        model_hash=segmenter.card.weights_sha256 or None,
        device=segmenter.runtime.device,
        precision=segmenter.runtime.precision,
        seconds=seconds,
        options=chosen_options(options, segmenter),
        inference_settings=segmenter.inference_settings,
        input_sha256=input_sha256,
    )


def _ranges(
    subject: Subject, measurements: Measurements, table: tuple[NormalRange, ...]
) -> dict[str, tuple[float, float, str]]:
    """Measurement name -> normal limits and their source, for this subject's sex and age."""
    ranges = {}
    for measurement in measurements.values():
        row = normal_range(measurement.name, subject.sex, subject.age_years, table)
        if row is not None:
            ranges[measurement.name] = (row.lower, row.upper, f"{row.citation} ({row.limits})")
    return ranges


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - started, 3)
