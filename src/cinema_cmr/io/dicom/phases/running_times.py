"""Trigger times that count from the start of a series, past the R waves in between, and not after the last of them.

Taken modulo the interval they are right if the count went on in whole beats. If it did not, each slice still starts at
its own first frame; the motion in the images shows which of the two it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from cinema_cmr.core.study import Issue
from cinema_cmr.io.dicom.files import FoundFiles
from cinema_cmr.io.dicom.header import FrameHeader
from cinema_cmr.io.dicom.phases.phase_check import check_phases
from cinema_cmr.io.dicom.pixels import assemble
from cinema_cmr.io.dicom.sort import SortedStacks
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES, Stack
from cinema_cmr.io.dicom.timing import TRIGGER_TIME

__all__ = ["without_running_times"]

_PAST = 1.1
"""Start of a slice, in cycles or spans of its frames, from which its times are no times after the R wave."""


def without_running_times(
    found: FoundFiles, stacks: SortedStacks, *, sort: Callable[[FoundFiles], SortedStacks]
) -> tuple[FoundFiles, SortedStacks]:
    """Return the study with times from the first frame of each slice, where those modulo the interval contradict the
    images and these do not, with an issue.

    `sort` sorts files into stacks. No pixel is read unless a slice of a stack starts more than a cycle after its R
    wave.
    """
    suspects = [one for one in stacks.stacks if len(one.slices) >= MIN_STACK_SLICES and _runs_on(found, one)]
    if not any(_n_apart(found, one) for one in suspects):
        return found, stacks
    names = {name for one in suspects for name in one.series}
    counted = _from_first_frame(found)
    again = sort(counted)
    same = [one for one in again.stacks if names.intersection(one.series) and len(one.slices) >= MIN_STACK_SLICES]
    if any(_n_apart(counted, one) for one in same):
        return found, stacks
    marked = tuple(_with_issue(one) if one in same else one for one in again.stacks)
    return counted, replace(again, stacks=marked)


def _runs_on(found: FoundFiles, stack: Stack) -> bool:
    """Return True if a slice starts later than a cycle after the R wave, by the times as they are stated."""
    for one in stack.slices:
        times = [time for k in one.frames if k is not None and (time := found.headers[k].trigger_ms) is not None]
        cycle = one.rr_interval_ms or one.span_ms
        if one.order_source == TRIGGER_TIME and times and cycle and min(times) > _PAST * cycle:
            return True
    return False


def _n_apart(found: FoundFiles, stack: Stack) -> int:
    """Return how many slices are out of phase by their motion."""
    checked = check_phases(assemble(found, stack), step_ms=None, cycle_known=True)
    return sum(int(issue.evidence.get("n_slices") or 1) for issue in checked.issues)


def _from_first_frame(found: FoundFiles) -> FoundFiles:
    """Return the study with all trigger times counted from the first of each slice."""
    starts: dict[tuple[object, ...], float] = defaultdict(lambda: float("inf"))
    for header in found.headers:
        if header.trigger_ms is not None:
            starts[_slice_key(header)] = min(starts[_slice_key(header)], header.trigger_ms)
    headers = (
        one if one.trigger_ms is None else replace(one, trigger_ms=one.trigger_ms - starts[_slice_key(one)])
        for one in found.headers
    )
    return replace(found, headers=tuple(headers))


def _slice_key(header: FrameHeader) -> tuple[object, ...]:
    return (header.series, *(round(value, 1) for value in header.position))


def _with_issue(stack: Stack) -> Stack:
    issue = Issue(
        code="times-run-on",
        severity="warning",
        message=f"the trigger times of {stack.series[0]} and others count on from slice to slice, beyond the cycle,"
        " and contradict the motion in the images; they were counted from the first frame of each slice, with which the"
        " images agree: check the curves",
        evidence={"n_slices": len(stack.slices)},
    )
    return replace(stack, issues=(*stack.issues, issue))
