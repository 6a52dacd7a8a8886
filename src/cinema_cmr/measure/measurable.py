"""Requirements of a study, checked before the long part of an analysis."""

from __future__ import annotations

from cinema_cmr.core.errors import GeometryError, NoCineError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.measure.phases import check_given_frames

__all__ = ["check_measurable"]

_MIN_SLICES = 3
"""A volume cannot be estimated from fewer slices."""


def check_measurable(study: Study, options: MeasureOptions, *, single_frame: bool) -> None:
    """Raise unless the study has a short-axis stack that volumes can be measured from.

    `NoCineError` without a stack, or for one frame unless `single_frame`; `GeometryError` for fewer than three slices;
    `UsageError` for an ED or ES frame that the stack lacks.
    """
    if View.SAX not in study:
        left_out = "; ".join(f"{d.series}: {d.reason}" for d in study.decisions if not d.kept)
        raise NoCineError(
            f"study '{study.name}' has no short-axis stack, which volumes are measured from. "
            f"Left out: {left_out or 'nothing'}"
        )
    _, _, n_slices, n_frames = study[View.SAX].shape
    if n_frames == 1 and not single_frame:
        raise NoCineError(
            f"the short-axis stack of '{study.name}' has one frame; an ejection fraction needs end-diastole and"
            " end-systole: give both in one folder or file, or --single-frame to measure this one alone"
        )
    check_given_frames(options.ed_frame, options.es_frame, n_frames)
    if n_slices < _MIN_SLICES:
        raise GeometryError(
            f"the short-axis stack of '{study.name}' has {n_slices} slice{'s' * (n_slices > 1)}; a volume needs at "
            f"least {_MIN_SLICES}: give the whole stack (`cinema segment` takes single slices)"
        )
