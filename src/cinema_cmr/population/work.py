"""The work on one study, in a worker: analyse it and return its outcome's parts."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.run_facts import installed_version
from cinema_cmr.files.leftovers import temporary_folder
from cinema_cmr.io.read import input_files
from cinema_cmr.pipeline.analysis_options import Options, options_of_study
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import ImageFacts
from cinema_cmr.report.record.study_record import StudyRecord

if TYPE_CHECKING:
    from cinema_cmr.core.analysis import Analysis
    from cinema_cmr.inference.features import FeatureExtractor
    from cinema_cmr.pipeline.analyzer import Analyzer

__all__ = [
    "DeviceWork",
    "MakeWork",
    "Reports",
    "StudyParts",
    "StudyWork",
    "Work",
    "WorkOptions",
    "listing_hash",
    "study_parts",
]

Reports = Literal["none", "flagged", "all"]


@dataclass(frozen=True, kw_only=True)
class StudyParts:
    """What a worker makes of a study."""

    record: StudyRecord | None = None
    """Its numbers; None for work that measures nothing."""
    image: ImageFacts | None = None
    members: dict[str, bytes] = field(default_factory=dict)


class Work(Protocol):
    """Work on studies with models that are loaded."""

    def __call__(self, study: ListedStudy) -> StudyParts:
        """Return the parts of a study's outcome; any error is that study's."""


MakeWork = Callable[[], Work]
"""Makes the work in a worker, once; picklable."""


@runtime_checkable
class DeviceWork(Protocol):
    """A `MakeWork` whose results depend on models and on the device that they run on."""

    @property
    def device(self) -> str:
        """The kind of device that workers take; "auto" until it is resolved."""

    def __call__(self) -> Work:
        """Load the models."""

    def resolved(self) -> Self:
        """Return the work with the device and the precision that "auto" means on this machine."""

    def settings(self) -> str:
        """Return the hash of all that determines a result."""

    def possible_settings(self) -> frozenset[str]:
        """Return the hashes that `settings` gives on machines that may do the work."""

    def model_hashes(self) -> dict[str, object]:
        """Return the hashes of all models' weights; raises `WeightsError` for a model that is not found."""


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """What is done with each study; calling it makes the work."""

    options: Options
    reports: Reports = "none"
    features: str | None = None
    """Autoencoder whose features are kept; None for no features."""
    masks: bool = True

    def __post_init__(self) -> None:
        if self.reports not in ("none", "flagged", "all"):
            raise UsageError(f"reports '{self.reports}'; expected none, flagged or all")

    @property
    def device(self) -> str:
        """The kind of device that workers take; "auto" until it is resolved."""
        return self.options.inference.device

    def __call__(self) -> Work:
        """Load the models."""
        return StudyWork(self)

    def resolved(self) -> WorkOptions:
        """Return the options with the device and the precision that "auto" means on this machine.

        Raises `UsageError` for a device that is not there.
        """
        inference = self.options.inference
        if "auto" not in (inference.device, inference.precision):
            return self
        from cinema_cmr.inference.runtime import choose_runtime

        runtime = choose_runtime(inference.device, inference.precision)
        chosen = replace(inference, **vars(runtime))
        return replace(self, options=replace(self.options, inference=chosen))

    def possible_settings(self) -> frozenset[str]:
        """Return the hashes that `settings` gives on machines that may do the work: one, unless something is "auto".

        Raises as `model_hashes`.
        """
        inference = self.options.inference
        devices = ("cpu", "cuda") if inference.device == "auto" else (inference.device,)
        precisions = ("fp32", "bf16") if inference.precision == "auto" else (inference.precision,)
        kinds = [replace(inference, device=one, precision=other) for one in devices for other in precisions]  # type: ignore[arg-type]
        return frozenset(replace(self, options=replace(self.options, inference=kind)).settings() for kind in kinds)

    def model_hashes(self) -> dict[str, object]:
        """Return the hashes of all models' weights; raises `WeightsError` for a model that is not found."""
        from cinema_cmr.disease.model import load_disease_model
        from cinema_cmr.models.weights import weights_hash

        extra = self.options.extra_models
        models = [self.options.inference.model, extra.long_axis, extra.landmarks, self.features]
        return {
            "models": [model and weights_hash(model) for model in models],
            "disease": extra.disease and load_disease_model(extra.disease).sha256,
        }

    def settings(self) -> str:
        """Return the hash of models by their weights, options, device, precision and version: what determines a result.

        An "auto" is hashed as what it means on this machine. Raises as `resolved` and `model_hashes`.
        """
        options = self.resolved().options
        values = {
            **self.model_hashes(),
            "tta": options.inference.tta,
            "device": options.inference.device,
            "precision": options.inference.precision,
            "measure": asdict(options.measure),
            "single_frame": options.single_frame,
            "reports": self.reports,
            "masks": self.masks,
            "version": installed_version("cinema-cmr"),
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


class StudyWork:
    """The whole analysis of studies with models that are loaded once."""

    def __init__(self, options: WorkOptions) -> None:
        from cinema_cmr.pipeline.analyzer import Analyzer

        self.options = options
        self.analyzer: Analyzer = Analyzer(options.options)
        _ = self.analyzer.segmenter, self.analyzer.disease_model
        self._extractor: FeatureExtractor | None = None if options.features is None else _extractor(options)

    def __call__(self, study: ListedStudy) -> StudyParts:
        """Analyse a study and gather what is kept of it."""
        frames = {"ed_frame": study.ed_frame, "es_frame": study.es_frame}
        self.analyzer.use_options(options_of_study(self.options.options, study.subject, **frames))
        analysis = self.analyzer.analyse(study.path, name=study.name)
        parts = study_parts(analysis, study.path, reports=self.options.reports, masks=self.options.masks)
        if self._extractor is not None:
            parts.members["features.json"] = _features(analysis, self._extractor)
        return parts


def study_parts(analysis: Analysis, path: Path, *, reports: Reports = "none", masks: bool = True) -> StudyParts:
    """Return what is kept of an analysis: its record, fingerprints, thumbnail, masks, and its report if wanted."""
    from cinema_cmr.population.image_facts import image_facts, thumbnail
    from cinema_cmr.report.record.build import build_record

    record = build_record(analysis)
    members = dict(_masks(analysis)) if masks else {}
    members["thumbnail.png"] = thumbnail(analysis)
    if _wants_report(reports, record):
        from cinema_cmr.report.html import report_html

        members["report.html"] = report_html(analysis, record).encode("utf-8", errors="backslashreplace")
    return StudyParts(record=record, image=image_facts(analysis.study, path), members=members)


def listing_hash(study: ListedStudy) -> str:
    """Return the hash of names, sizes and times of an input's files, and of facts and frames that measurements use;
    "missing" where the files cannot be listed."""
    path = study.path
    try:
        files = input_files(path)
        facts = [(file.relative_to(path).as_posix() if file != path else "", file.stat()) for file in files]
    except (OSError, ValueError):
        return "missing"
    lines = "\n".join(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}" for name, stat in facts) + repr(study.subject)
    frames = (study.ed_frame, study.es_frame)
    lines += repr(frames) if frames != (None, None) else ""
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()[:16]


def _wants_report(reports: Reports, record: StudyRecord) -> bool:
    flagged = any(flag.severity != "info" for flag in record.flags)
    return reports == "all" or (reports == "flagged" and flagged)


def _masks(analysis: Analysis) -> Iterator[tuple[str, bytes]]:
    """Yield a NIfTI file a view, compressed without time or name, so that the same mask has the same bytes."""
    from cinema_cmr.io.nifti.image import write_mask

    with temporary_folder() as folder:
        for view, prediction in analysis.predictions.items():
            path = folder / f"{view}.nii"
            write_mask(prediction.labels, analysis.study[view], path)
            yield f"{view}.nii.gz", gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


def _extractor(options: WorkOptions) -> FeatureExtractor:
    from cinema_cmr.inference.features import FeatureExtractor
    from cinema_cmr.inference.runtime import choose_runtime
    from cinema_cmr.models.weights import load_model

    inference = options.options.inference
    model = load_model(str(options.features))
    return FeatureExtractor(model, choose_runtime(inference.device, inference.precision))


def _features(analysis: Analysis, extractor: FeatureExtractor) -> bytes:
    """Return tokens -> vector, the mean over the cycle, as JSON."""
    from cinema_cmr.data.store import open_study, write_study

    with temporary_folder() as folder:
        path = folder / "study.cine"
        write_study(analysis.study, path)
        rows = extractor.rows(open_study(path), over_cycle=True)
    vectors = {row.tokens: [float(f"{value:.7g}") for value in row.values] for row in rows}
    return json.dumps(vectors, separators=(",", ":")).encode()
