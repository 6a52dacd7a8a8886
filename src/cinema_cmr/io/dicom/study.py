"""Reads a DICOM study of any layout into a `Study`: cines by position and time, views by geometry.

Nothing that identifies a person leaves this reader: series are labelled by number, descriptions are reduced to a fixed
vocabulary of hints, and names, identifiers and dates are dropped with the headers. Of the UIDs only those of the images
are kept, in memory (`Cine.sources`), so that DICOM results can refer to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.choices import SeriesChoices, StudyChoices
from cinema_cmr.core.errors import NoCineError
from cinema_cmr.core.study import Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.admission import admit_claimed
from cinema_cmr.io.dicom.contested import image_rejections, rejection_issues
from cinema_cmr.io.dicom.decisions import (
    ClassifiedStack,
    file_issues,
    issues_of_kept,
    no_cine_error,
    pixel_issues,
    reference_issues,
    series_decisions,
)
from cinema_cmr.io.dicom.files import FoundFiles, pixel_digests, read_headers
from cinema_cmr.io.dicom.image_sources import cine_sources
from cinema_cmr.io.dicom.merge import Rejection
from cinema_cmr.io.dicom.patient.examination import check_single_examination
from cinema_cmr.io.dicom.phases.interval_check import without_false_intervals
from cinema_cmr.io.dicom.phases.phase_check import PhasedStack, check_phases, cut_as_stack
from cinema_cmr.io.dicom.phases.rate import CardiacCycle, cardiac_cycle
from cinema_cmr.io.dicom.phases.running_times import without_running_times
from cinema_cmr.io.dicom.pixels import AssembledStack, assemble
from cinema_cmr.io.dicom.places.pixel_sizes import without_false_pixel_sizes
from cinema_cmr.io.dicom.series_groups import possible_duplicates
from cinema_cmr.io.dicom.sort import SortedStacks, sort_headers
from cinema_cmr.io.dicom.stack import Stack
from cinema_cmr.io.dicom.timing import TRIGGER_TIME
from cinema_cmr.io.dicom.user_choices import (
    apply_to_files,
    check_carried_out,
    chosen_views,
    decision_issues,
    prefer_chosen,
    resolve_series,
)
from cinema_cmr.io.folded import fold_issues
from cinema_cmr.io.plausible import spacing_issue
from cinema_cmr.views.competing import looks_tagged
from cinema_cmr.views.recognise import Candidate, ViewRecognition, recognise_views

__all__ = ["find_stacks", "read_dicom"]


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """The cines of a study, with their views."""

    found: FoundFiles
    stacks: SortedStacks
    readable: tuple[AssembledStack, ...]
    """Stacks with pixels."""
    candidates: tuple[Candidate, ...]
    """The readable stacks as cines."""
    cycles: tuple[CardiacCycle, ...]
    recognised: ViewRecognition
    issues: tuple[Issue, ...]

    @property
    def classified(self) -> list[ClassifiedStack]:
        pairs = zip(self.readable, self.recognised.decisions, strict=True)
        return [ClassifiedStack(stack=one.stack, decision=decision) for one, decision in pairs]

    @property
    def has_short_axis(self) -> bool:
        return any(one.view is View.SAX and one.kept for one in self.recognised.decisions)


def read_dicom(
    files_or_folder: Path | Iterable[Path], *, name: str | None = None, choices: StudyChoices | None = None
) -> Study:
    """Read a study from a folder (with subfolders and other files), one DICOM file or a list of files.

    `name` defaults to the stem of the path; `choices` are the user's decisions on series. Every series gets a
    `SeriesDecision`: `kept` is true if it is measured as its view; other cines stay in the study as `View.OTHER`, with
    the reason.

    Raises `NoCineError` (with a summary of the input) if there is no cine, `UnreadableFileError` if none of the DICOM
    files, or none of the images of any cine, is readable, `InputError` for several patients or days and for a decision
    of the user that cannot be carried out, `UnknownNameError` for a series that the study lacks.
    """
    found = read_headers(files_or_folder)
    decided = resolve_series(choices, found) if choices else {}
    found = apply_to_files(found, decided)
    reading = _read_cines(found, decided)
    decisions = series_decisions(reading.found, reading.stacks, reading.classified)
    check_carried_out(decisions, decided)
    main = _main_stack_index(reading.classified)
    cycle, cine = reading.cycles[main], reading.candidates[main].cine
    return Study(
        name=name or _default_name(files_or_folder),
        cines=_select_cines(reading.candidates, reading.classified),
        subject=replace(found.subject, heart_rate_bpm=cycle.heart_rate_bpm),
        decisions=decisions,
        issues=fold_issues([*reading.issues, *cycle.issues(cine.label), *decision_issues(decided)]),
        descriptions={label: files.description for label, files in found.series.items() if files.description},
    )


def _read_cines(found: FoundFiles, decided: SeriesChoices) -> _Reading:
    """Read the cines; without a short axis among them, also those that claim to be something else."""
    attempts = [False] if not found.claimed else [False, True]
    failure, first = None, None
    for all_cines in attempts:
        try:
            reading = _read_attempt(found, decided, all_cines=all_cines)
        except NoCineError as error:
            failure = failure or error
            continue
        if reading.has_short_axis:
            return reading
        first = first or reading
    if first is None:
        assert failure is not None
        raise failure
    return first


def _read_attempt(found: FoundFiles, decided: SeriesChoices, *, all_cines: bool) -> _Reading:
    stacks = _sorted_stacks(found)
    admission = admit_claimed(found, stacks, all_cines=all_cines)
    preferred = prefer_chosen(admission.found, decided)
    if preferred is not found:
        found, stacks = preferred, _sorted_stacks(preferred)
    found, stacks = without_false_pixel_sizes(found, stacks, sort=_sorted_stacks)
    found, stacks = without_false_intervals(found, stacks, sort=_sorted_stacks)
    found, stacks = without_running_times(found, stacks, sort=_sorted_stacks)
    stacks = _with_better_repeats(found, stacks)
    slices = [*(one for stack in stacks.stacks for one in stack.slices), *(one.excluded for one in stacks.repeats)]
    cines = dict.fromkeys([*(k for one in slices for k in one.frames if k is not None), *stacks.repeated])
    subject_issues = check_single_examination([found.headers[k] for k in cines])
    assembled = tuple(assemble(found, stack) for stack in stacks.stacks)
    readable = [one for one in assembled if one.array.size]
    if not readable:
        raise no_cine_error(found, stacks, assembled)
    if all(one.array.min() == one.array.max() for one in readable):
        raise NoCineError("every pixel of the cines has the same value; expected images: export them again")
    stated = [cardiac_cycle(found.headers, one.stack) for one in readable]
    phased = _with_the_beat_of_the_stack(
        [_check_phases(one, cycle) for one, cycle in zip(readable, stated, strict=True)]
    )
    cycles = tuple(cycle.or_beat(one.beat_ms) for cycle, one in zip(stated, phased, strict=True))
    candidates = tuple(_make_candidate(found, one, cycle) for one, cycle in zip(phased, cycles, strict=True))
    recognised = recognise_views(candidates, chosen=chosen_views([one.stack for one in readable], decided))
    reading = _Reading(
        found=found,
        stacks=stacks,
        readable=tuple(readable),
        candidates=candidates,
        cycles=cycles,
        recognised=recognised,
        issues=(*found.issues, *admission.issues, *subject_issues, *file_issues(found)),
    )
    is_kept = [one.decision.kept for one in reading.classified]
    issues = issues_of_kept(stacks.issues, [one.stack for one in readable], is_kept)
    unread = [one for one in assembled if not one.array.size]
    kept_ones = [one for one, kept in zip(readable, is_kept, strict=True) if kept]
    issues += [i for one in (*unread, *kept_ones) for i in pixel_issues(one)]
    for one, kept in zip(phased, is_kept, strict=True):
        issues += [issue for issue in one.issues if kept and issue not in issues]
    measured = [c for c, kept in zip(candidates, is_kept, strict=True) if kept]
    issues += [i for c in measured if (i := spacing_issue(c.cine.spacing_mm, c.cine.n_slices)) is not None]
    issues += [*recognised.issues, *reference_issues(found, reading.classified)]
    return replace(reading, issues=(*reading.issues, *issues))


def find_stacks(files_or_folder: Path | Iterable[Path]) -> tuple[FoundFiles, SortedStacks]:
    """Return the files of the input and their images sorted into stacks, without reading pixels."""
    found = read_headers(files_or_folder)
    return found, _sorted_stacks(found)


def _sorted_stacks(found: FoundFiles, rejected: Mapping[int, Rejection] | None = None) -> SortedStacks:
    suspects = possible_duplicates(found.headers)
    return sort_headers(found.headers, digests=pixel_digests(found, suspects), rejected=rejected)


def _with_better_repeats(found: FoundFiles, stacks: SortedStacks) -> SortedStacks:
    """Return the stacks with those slices that the images show to be better than the repeats that were kept."""
    rejected = image_rejections(found, stacks) if stacks.repeats else {}
    if not rejected:
        return stacks
    again = _sorted_stacks(found, rejected)
    return replace(again, issues=(*rejection_issues(found, rejected), *again.issues))


def _default_name(source: Path | Iterable[Path]) -> str:
    if not isinstance(source, Path):
        return "study"
    return source.resolve().name if source.is_dir() else source.stem


def _check_phases(one: AssembledStack, cycle: CardiacCycle) -> PhasedStack:
    return check_phases(one, step_ms=_step_ms(one.stack), cycle_known=cycle.rr_ms is not None, covered=cycle.covered)


def _step_ms(stack: Stack) -> float | None:
    times = _median_times(stack)
    return None if times is None or len(times) < 2 else float(np.median(np.diff(times)))


def _with_the_beat_of_the_stack(phased: Sequence[PhasedStack]) -> list[PhasedStack]:
    """Return the stacks with single planes cut to one beat, too, where the largest stack was cut to one."""
    beats = [(one.assembled.array.shape[2], one.beat_ms) for one in phased if one.beat_ms is not None]
    if not beats:
        return list(phased)
    beat_ms = max(beats)[1]
    return [cut_as_stack(one, step_ms=_step_ms(one.assembled.stack), beat_ms=beat_ms) for one in phased]


def _make_candidate(found: FoundFiles, phased: PhasedStack, cycle: CardiacCycle) -> Candidate:
    one, stack = phased.assembled, phased.assembled.stack
    times = phased.frame_times_ms
    if times is None and one.array.shape[3] == stack.n_frames:
        times = _median_times(stack)
    thickness = [cine_slice.thickness_mm for cine_slice in stack.slices if cine_slice.thickness_mm]
    cine = Cine(
        array=one.array,
        affine=stack.affine,
        view=View.OTHER,
        slice_positions_mm=stack.positions_mm,
        frame_times_ms=times,
        in_phase=phased.in_phase,
        rr_interval_ms=cycle.rr_ms,
        slice_thickness_mm=float(np.median(thickness)) if thickness else None,
        label=_stack_label(stack),
        sources=cine_sources(found.headers, one),
    )
    return Candidate(
        cine=cine,
        hints=stack.hints,
        acquisition_order=max(cine_slice.acquisition_order for cine_slice in stack.slices),
        gated=_most(one.gated for one in stack.slices),
        tagged="tagging" in stack.hints or (cine.n_slices >= 3 and looks_tagged(cine)),
        timed=_most(one.order_source == TRIGGER_TIME for one in stack.slices),
        derived=_most(one.derived for one in stack.slices),
    )


def _most(values: Iterable[bool]) -> bool:
    """Return True if at least half of the values are true."""
    listed = list(values)
    return 2 * sum(listed) >= len(listed)


def _median_times(stack: Stack) -> NDArray[np.float64] | None:
    """Return the (t,) time of each frame from the first: the median over slices, whose triggers differ slightly."""
    rows = [
        cine_slice.times_ms
        for cine_slice in stack.slices
        if cine_slice.times_ms and len(cine_slice.frames) == stack.n_frames
    ]
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


def _extract_view(cine: Cine, classified: ClassifiedStack) -> Cine:
    """Return the cine with its view, reduced to the relevant slice if the view is one of several planes."""
    cine = replace(cine, view=classified.decision.view)
    k = classified.decision.slice
    if k is None or cine.n_slices == 1 or not cine.view.is_long_axis:
        return cine
    affine = cine.affine.copy()
    affine[:3, 3] += cine.slice_indices[k] * affine[:3, 2]
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    affine[:3, 2] = normal / np.linalg.norm(normal) * (cine.slice_thickness_mm or 1.0)
    return replace(
        cine,
        array=cine.array[:, :, k : k + 1],
        affine=affine,
        slice_positions_mm=np.zeros(1),
        label=classified.stack.slices[k].series,
        sources=cine.sources and cine.sources.select(slices=[k]),
    )


def _main_stack_index(classified: Sequence[ClassifiedStack]) -> int:
    """Return the stack that determines the heart rate: short axis, else any kept view, else the first."""
    order = list(View)
    return min(
        range(len(classified)),
        key=lambda k: (not classified[k].decision.kept, order.index(classified[k].decision.view)),
    )


def _select_cines(candidates: Sequence[Candidate], classified: Sequence[ClassifiedStack]) -> tuple[Cine, ...]:
    """Return measured views in the order of `View`, then other cines; second-best planes of a view are dropped."""
    order = list(View)
    kept = [
        _extract_view(candidate.cine, one)
        for candidate, one in zip(candidates, classified, strict=True)
        if one.decision.kept or one.decision.view is View.OTHER
    ]
    return tuple(sorted(kept, key=lambda cine: order.index(cine.view)))
