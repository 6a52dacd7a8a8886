"""Quality control of a measured study: every check in one list, every flag with its evidence."""

from __future__ import annotations

from cinema_cmr.core.results import Flag
from cinema_cmr.core.study import Study
from cinema_cmr.measure.quality.body import BODY_CHECKS
from cinema_cmr.measure.quality.context import Check, QualityContext
from cinema_cmr.measure.quality.coverage import COVERAGE_CHECKS
from cinema_cmr.measure.quality.curves import CURVE_CHECKS
from cinema_cmr.measure.quality.image_contrast import CONTRAST_CHECKS
from cinema_cmr.measure.quality.image_edge import EDGE_CHECKS
from cinema_cmr.measure.quality.masks import MASK_CHECKS
from cinema_cmr.measure.quality.orientation import ORIENTATION_CHECKS
from cinema_cmr.measure.quality.slice_phases import SLICE_PHASE_CHECKS
from cinema_cmr.measure.quality.stack import STACK_CHECKS

__all__ = ["CHECKS", "issue_flags", "quality_flags"]

CHECKS: tuple[Check, ...] = (
    *STACK_CHECKS,
    *EDGE_CHECKS,
    *CONTRAST_CHECKS,
    *ORIENTATION_CHECKS,
    *COVERAGE_CHECKS,
    *MASK_CHECKS,
    *CURVE_CHECKS,
    *SLICE_PHASE_CHECKS,
    *BODY_CHECKS,
)
"""To add a check, write one function `(context) -> Flag | None` and append it to one of these lists."""


def quality_flags(context: QualityContext) -> tuple[Flag, ...]:
    """Return all flags raised by a measured short-axis stack, followed by the issues of its data."""
    raised = (check(context) for check in CHECKS)
    return (*(flag for flag in raised if flag is not None), *issue_flags(context.study))


def issue_flags(study: Study) -> tuple[Flag, ...]:
    """Pass the warnings and errors of the reader on as flags of the same code."""
    return tuple(
        Flag(code=issue.code, severity=issue.severity, message=issue.message, evidence=issue.evidence)
        for issue in study.issues
        if issue.severity != "info"
    )
