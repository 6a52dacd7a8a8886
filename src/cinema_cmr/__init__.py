"""Cine cardiac MRI: from a scan to views, masks, volumes, ejection fraction and a report. For research use only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinema_cmr import datasets

    __version__: str
    from cinema_cmr.api import (
        analyse,
        check_dataset,
        demo_study,
        embed,
        finetune,
        fit_disease_model,
        frame_dataset,
        load_model,
        prepare,
        pretrain,
        read_cine,
        reconstruct,
        remeasure,
        segment,
        write_cine,
        write_phantoms,
        write_results,
    )
    from cinema_cmr.core.analysis import Analysis, NormalRange
    from cinema_cmr.core.annotation import LabelMap, Landmarks
    from cinema_cmr.core.errors import (
        CinemaError,
        GeometryError,
        InputError,
        NoCineError,
        OutputExistsError,
        UnreadableFileError,
        UsageError,
        WeightsError,
    )
    from cinema_cmr.core.results import Flag, LandmarkPrediction, Measurement, Measurements, Prediction
    from cinema_cmr.core.study import Issue, SeriesDecision, Study, Subject
    from cinema_cmr.core.vocabulary import View
    from cinema_cmr.core.volume import Cine
    from cinema_cmr.interop.deidentify import deidentify
    from cinema_cmr.io.nifti.image import write_mask
    from cinema_cmr.io.read import read_study
    from cinema_cmr.io.views_file import write_views_file
    from cinema_cmr.measure.measure import MeasureOptions, measure_masks, measure_study
    from cinema_cmr.models.catalogue import list_weights, verify_weights
    from cinema_cmr.pipeline.about.description import info
    from cinema_cmr.pipeline.about.health import doctor
    from cinema_cmr.pipeline.analysis_options import ExtraModels, InferenceOptions, Options
    from cinema_cmr.pipeline.analyzer import Analyzer
    from cinema_cmr.pipeline.benchmarks import benchmark, sweep
    from cinema_cmr.pipeline.cohort_page import cohort
    from cinema_cmr.pipeline.compare_results import compare
    from cinema_cmr.pipeline.dicom_export import export_dicom
    from cinema_cmr.pipeline.evaluations import evaluate, evaluate_masks
    from cinema_cmr.pipeline.frame_dataset import FrameDataset
    from cinema_cmr.pipeline.nnunet_export import export_nnunet
    from cinema_cmr.pipeline.populations import analyse_population, merge_populations, read_population
    from cinema_cmr.pipeline.ranking import RankedStudy, rank
    from cinema_cmr.pipeline.servers import serve_dicom, serve_viewer
    from cinema_cmr.pipeline.task_model import Model
    from cinema_cmr.recipes.experiment import Experiment
    from cinema_cmr.recipes.run import RunResult
    from cinema_cmr.report.record.stored import read_measurements
    from cinema_cmr.report.record.study_record import StudyRecord

_MODULES = {
    "api": (
        "analyse",
        "check_dataset",
        "demo_study",
        "embed",
        "finetune",
        "fit_disease_model",
        "frame_dataset",
        "load_model",
        "prepare",
        "pretrain",
        "read_cine",
        "reconstruct",
        "remeasure",
        "segment",
        "write_cine",
        "write_phantoms",
        "write_results",
    ),
    "core.analysis": ("Analysis", "NormalRange"),
    "core.annotation": ("LabelMap", "Landmarks"),
    "core.errors": (
        "CinemaError",
        "GeometryError",
        "InputError",
        "NoCineError",
        "OutputExistsError",
        "UnreadableFileError",
        "UsageError",
        "WeightsError",
    ),
    "core.results": ("Flag", "LandmarkPrediction", "Measurement", "Measurements", "Prediction"),
    "core.study": ("Issue", "SeriesDecision", "Study", "Subject"),
    "core.vocabulary": ("View",),
    "core.volume": ("Cine",),
    "interop.deidentify": ("deidentify",),
    "io.nifti.image": ("write_mask",),
    "io.read": ("read_study",),
    "io.views_file": ("write_views_file",),
    "measure.measure": ("MeasureOptions", "measure_masks", "measure_study"),
    "models.catalogue": ("list_weights", "verify_weights"),
    "pipeline.about.description": ("info",),
    "pipeline.about.health": ("doctor",),
    "pipeline.analysis_options": ("ExtraModels", "InferenceOptions", "Options"),
    "pipeline.analyzer": ("Analyzer",),
    "pipeline.benchmarks": ("benchmark", "sweep"),
    "pipeline.cohort_page": ("cohort",),
    "pipeline.compare_results": ("compare",),
    "pipeline.dicom_export": ("export_dicom",),
    "pipeline.evaluations": ("evaluate", "evaluate_masks"),
    "pipeline.frame_dataset": ("FrameDataset",),
    "pipeline.nnunet_export": ("export_nnunet",),
    "pipeline.populations": ("analyse_population", "merge_populations", "read_population"),
    "pipeline.ranking": ("RankedStudy", "rank"),
    "pipeline.servers": ("serve_dicom", "serve_viewer"),
    "pipeline.task_model": ("Model",),
    "recipes.experiment": ("Experiment",),
    "recipes.run": ("RunResult",),
    "report.record.stored": ("read_measurements",),
    "report.record.study_record": ("StudyRecord",),
}
"""Module -> the public names that it defines."""

_PACKAGES = ("datasets",)
"""Packages whose functions are public."""

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Analysis",
    "Analyzer",
    "Cine",
    "CinemaError",
    "Experiment",
    "ExtraModels",
    "Flag",
    "FrameDataset",
    "GeometryError",
    "InferenceOptions",
    "InputError",
    "Issue",
    "LabelMap",
    "LandmarkPrediction",
    "Landmarks",
    "MeasureOptions",
    "Measurement",
    "Measurements",
    "Model",
    "NoCineError",
    "NormalRange",
    "Options",
    "OutputExistsError",
    "Prediction",
    "RankedStudy",
    "RunResult",
    "SeriesDecision",
    "Study",
    "StudyRecord",
    "Subject",
    "UnreadableFileError",
    "UsageError",
    "View",
    "WeightsError",
    "analyse",
    "analyse_population",
    "benchmark",
    "check_dataset",
    "cohort",
    "compare",
    "datasets",
    "deidentify",
    "demo_study",
    "doctor",
    "embed",
    "evaluate",
    "evaluate_masks",
    "export_dicom",
    "export_nnunet",
    "finetune",
    "fit_disease_model",
    "frame_dataset",
    "info",
    "list_weights",
    "load_model",
    "measure_masks",
    "measure_study",
    "merge_populations",
    "prepare",
    "pretrain",
    "rank",
    "read_cine",
    "read_measurements",
    "read_population",
    "read_study",
    "reconstruct",
    "remeasure",
    "segment",
    "serve_dicom",
    "serve_viewer",
    "sweep",
    "verify_weights",
    "write_cine",
    "write_mask",
    "write_phantoms",
    "write_results",
    "write_views_file",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that `import cinema_cmr` is instant."""
    if name == "__version__":
        from cinema_cmr.core.run_facts import installed_version

        return installed_version("cinema-cmr") or "unknown"
    if name in _PACKAGES:
        return import_module(f"cinema_cmr.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'cinema_cmr' has no attribute '{name}'")
    import_module("cinema_cmr.api")  # gives core types their methods of upper layers
    return getattr(import_module(f"cinema_cmr.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
