"""How a cine, a study and measurements show themselves in a notebook."""

from __future__ import annotations

from cinema_cmr.core.results import Measurements
from cinema_cmr.core.study import Study
from cinema_cmr.core.volume import Cine

__all__ = ["register_displays"]


def register_displays() -> None:
    """Give the core types their displays; what draws them is imported when a notebook asks for one."""
    Cine._repr_html_, Cine._repr_png_ = _cine_html, _cine_png  # type: ignore[attr-defined]
    Measurements._repr_html_, Study._repr_html_ = _measurements_html, _study_html  # type: ignore[attr-defined]


def _cine_html(cine: Cine) -> str:
    from cinema_cmr.report.notebook import cine_html

    return cine_html(cine)


def _cine_png(cine: Cine) -> bytes:
    from cinema_cmr.report.notebook import cine_png

    return cine_png(cine)


def _measurements_html(measurements: Measurements) -> str:
    from cinema_cmr.report.notebook import measurements_html

    return measurements_html(measurements)


def _study_html(study: Study) -> str:
    from cinema_cmr.report.notebook import study_html

    return study_html(study)
