"""Reads a DICOM study of any layout into a `Study`: cines by place and time, views by geometry.

Nothing that identifies a person leaves this reader: series are called by their number, descriptions are
reduced to a fixed vocabulary of hints, and names, identifiers, dates and UIDs are dropped with the headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.decisions import (
    JudgedStack,
    decide,
    file_issues,
    nothing_to_read,
    pixel_issues,
    reference_issues,
)
from cinema_cmr.io.dicom.examination import check_one_examination
from cinema_cmr.io.dicom.files import FoundFiles, pixel_digests, read_headers
from cinema_cmr.io.dicom.pixels import AssembledStack, assemble
from cinema_cmr.io.dicom.rate import CardiacCycle, cycle_of
from cinema_cmr.io.dicom.sort import SortedStacks, same_place_and_time, sort_headers
from cinema_cmr.io.dicom.stack import Stack
from cinema_cmr.views.recognise import Candidate, recognise_views

__all__ = ["find_stacks", "read_dicom"]


def read_dicom(files_or_folder: Path | Iterable[Path], *, name: str | None = None) -> Study:
    """The study in a folder (sub-folders and other files among them), in one DICOM file or a list of files.

    `name` is what to call the study; without it the stem of the path. Every series gets a `SeriesDecision`:
    `kept` is true where it is measured as its view; other cines stay in the study as `View.OTHER`, with the
    reason.

    Raises `NoCineError` (with what was found) where nothing is a cine, `UnreadableFileError` where there are
    DICOM files and none of them, or none of a cine's images, can be read, `InputError` for several patients
    or days.
    """
    found, stacks = find_stacks(files_or_folder)
    used = (k for stack in stacks.stacks for cut in stack.slices for k in cut.frames if k is not None)
    of_people = check_one_examination(found.headers[k] for k in used)
    assembled = [assemble(found, stack) for stack in stacks.stacks]
    readable = [one for one in assembled if one.array.size]
    if not readable:
        raise nothing_to_read(found, stacks, assembled)
    cycles = [cycle_of(found.headers, one.stack, _median_times(one.stack)) for one in readable]
    candidates = [_candidate(one, cycle) for one, cycle in zip(readable, cycles, strict=True)]
    recognised = recognise_views(candidates)
    judged = [
        JudgedStack(stack=one.stack, verdict=verdict)
        for one, verdict in zip(readable, recognised.verdicts, strict=True)
    ]
    main = _main_stack(judged)
    issues = [
        *found.issues,
        *of_people,
        *file_issues(found),
        *stacks.issues,
        *(issue for one in assembled for issue in pixel_issues(one)),
        *recognised.issues,
        *reference_issues(found, judged),
        cycles[main].issue(candidates[main].cine.label),
    ]
    return Study(
        name=name or _stem(files_or_folder),
        cines=_kept_cines(candidates, judged),
        subject=replace(found.subject, heart_rate_bpm=cycles[main].heart_rate_bpm),
        decisions=decide(found, stacks, judged),
        issues=tuple(issues),
    )


def find_stacks(files_or_folder: Path | Iterable[Path]) -> tuple[FoundFiles, SortedStacks]:
    """What the input holds and which of its images make up which stack, without reading pixels."""
    found = read_headers(files_or_folder)
    suspects = same_place_and_time(found.headers)
    return found, sort_headers(found.headers, digests=pixel_digests(found, suspects))


def _stem(source: Path | Iterable[Path]) -> str:
    if not isinstance(source, Path):
        return "study"
    return source.resolve().name if source.is_dir() else source.stem


def _candidate(one: AssembledStack, cycle: CardiacCycle) -> Candidate:
    stack = one.stack
    thickness = [cut.thickness_mm for cut in stack.slices if cut.thickness_mm]
    cine = Cine(
        array=one.array,
        affine=stack.affine,
        view=View.OTHER,
        slice_positions_mm=stack.positions_mm,
        frame_times_ms=_median_times(stack),
        rr_interval_ms=cycle.rr_ms,
        slice_thickness_mm=float(np.median(thickness)) if thickness else None,
        label=_stack_label(stack),
    )
    return Candidate(cine=cine, hints=stack.hints, taken=max(cut.taken for cut in stack.slices))


def _median_times(stack: Stack) -> NDArray[np.float64] | None:
    """(t,) time of each frame from the first: the median over slices, whose triggers differ a little."""
    rows = [cut.times_ms for cut in stack.slices if cut.times_ms and len(cut.frames) == stack.n_frames]
    if not rows:
        return None
    times = np.array(rows)
    median: NDArray[np.float64] = np.median(times - times[:, :1], axis=0)
    return median


def _stack_label(stack: Stack) -> str:
    names = stack.series
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]} to {names[-1].removeprefix('series ')} ({len(names)} series)"


def _cine_of_view(cine: Cine, judged: JudgedStack) -> Cine:
    """The cine with its view, cut to the one slice that is meant where the view is one of several planes."""
    cine = replace(cine, view=judged.verdict.view)
    k = judged.verdict.slice
    if k is None or cine.n_slices == 1 or not cine.view.is_long_axis:
        return cine
    affine = cine.affine.copy()
    share = float(cine.slice_positions_mm[k] / cine.slice_positions_mm[-1]) * (cine.n_slices - 1)
    affine[:3, 3] += share * affine[:3, 2]
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    affine[:3, 2] = normal / np.linalg.norm(normal) * (cine.slice_thickness_mm or 1.0)
    return replace(
        cine,
        array=cine.array[:, :, k : k + 1],
        affine=affine,
        slice_positions_mm=np.zeros(1),
        label=judged.stack.slices[k].series,
    )


def _main_stack(judged: Sequence[JudgedStack]) -> int:
    """Index of the stack whose heart rate is the study's: short axis, else any kept view, else the first."""
    order = list(View)
    return min(range(len(judged)), key=lambda k: (not judged[k].verdict.kept, order.index(judged[k].verdict.view)))


def _kept_cines(candidates: Sequence[Candidate], judged: Sequence[JudgedStack]) -> tuple[Cine, ...]:
    """Measured views in the order of `View`, then other cines; second-best planes of a view are dropped."""
    order = list(View)
    kept = [
        _cine_of_view(candidate.cine, one)
        for candidate, one in zip(candidates, judged, strict=True)
        if one.verdict.kept or one.verdict.view is View.OTHER
    ]
    return tuple(sorted(kept, key=lambda cine: order.index(cine.view)))
