"""Cine cardiac MRI: from a scan to views, masks, volumes, ejection fraction and a report. For research use only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinema_cmr.core.errors import CinemaError
    from cinema_cmr.core.results import Measurements, Prediction
    from cinema_cmr.core.study import Study, Subject
    from cinema_cmr.core.vocabulary import View
    from cinema_cmr.core.volume import Cine
    from cinema_cmr.io.read import read_study
    from cinema_cmr.measure.measure import MeasureOptions
    from cinema_cmr.models.loaded import LoadedModel
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.pipeline import Analysis, Options, analyse, segment

__all__ = [
    "Analysis",
    "Cine",
    "CinemaError",
    "LoadedModel",
    "MeasureOptions",
    "Measurements",
    "Options",
    "Prediction",
    "Study",
    "Subject",
    "View",
    "analyse",
    "load_model",
    "read_study",
    "segment",
]

_HOMES = {
    "Analysis": "pipeline",
    "Cine": "core.volume",
    "CinemaError": "core.errors",
    "LoadedModel": "models.loaded",
    "MeasureOptions": "measure.measure",
    "Measurements": "core.results",
    "Options": "pipeline",
    "Prediction": "core.results",
    "Study": "core.study",
    "Subject": "core.study",
    "View": "core.vocabulary",
    "analyse": "pipeline",
    "load_model": "models.weights",
    "read_study": "io.read",
    "segment": "pipeline",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module at its first use, so that `import cinema_cmr` is instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cinema_cmr' has no attribute '{name}'")
    return getattr(import_module(f"cinema_cmr.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
