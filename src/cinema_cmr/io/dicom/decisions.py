"""Decisions with evidence for every series, issues for files and images, and the error if no cine remains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cinema_cmr.core.errors import NoCineError, UnreadableFileError
from cinema_cmr.core.study import Facts, Issue, SeriesDecision
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.files import FoundFiles, SeriesFiles, place_of
from cinema_cmr.io.dicom.header import distinct_values
from cinema_cmr.io.dicom.pixels import AssembledStack
from cinema_cmr.io.dicom.places.lost_positions import NO_POSITION, UNUSABLE
from cinema_cmr.io.dicom.sort import ExcludedImages, SortedStacks
from cinema_cmr.io.dicom.stack import Stack
from cinema_cmr.io.dicom.timing import MIN_FRAMES
from cinema_cmr.io.folded import fold_lines
from cinema_cmr.views.candidate import ViewDecision
from cinema_cmr.views.still import still_issues

__all__ = [
    "ClassifiedStack",
    "file_issues",
    "issues_of_kept",
    "no_cine_error",
    "pixel_issues",
    "reference_issues",
    "series_decisions",
]

_MAX_SERIES_LISTED = 12
_OWN_UIDS = 3
"""From this many series, a frame of reference of its own for each is due to anonymisation, not to movement."""


@dataclass(frozen=True, kw_only=True)
class ClassifiedStack:
    """A readable stack and the decision on its view."""

    stack: Stack
    decision: ViewDecision


def series_decisions(
    found: FoundFiles, stacks: SortedStacks, classified: Sequence[ClassifiedStack]
) -> tuple[SeriesDecision, ...]:
    """Return one decision per series of the input, ordered by series number."""
    own = {name: [one for one in classified if name in one.stack.series] for name in found.series}
    decisions = []
    for name, files in sorted(found.series.items(), key=lambda item: (item[1].number or 0, item[0])):
        excluded = [one for one in stacks.excluded if one.series == name]
        if own[name]:
            decisions.append(_cine_decision(name, files, own[name], excluded))
        else:
            decisions.append(_excluded_decision(name, files, stacks, excluded, classified))
    return tuple(decisions)


def _cine_decision(
    name: str, files: SeriesFiles, classified: Sequence[ClassifiedStack], excluded: Sequence[ExcludedImages]
) -> SeriesDecision:
    """Decide on a series whose slices are in one or more stacks, from the most useful of their decisions."""
    best = max(classified, key=lambda one: (_is_kept(name, one), one.decision.view is not View.OTHER))
    decision, slices = best.decision, best.stack.slices
    kept = _is_kept(name, best)
    own_slices = [k for k, cine_slice in enumerate(slices) if cine_slice.series == name]
    reason = decision.reason
    if len(best.stack.series) > 1 and decision.slice is None:
        reason = f"slice {', '.join(map(str, own_slices))} of {len(slices)} (from 0): {reason}"
    elif decision.kept and not kept:
        reason = f"parallel to the {decision.view.title} plane of another series, farther from the axis"
    if excluded:
        reason += "; " + "; ".join(_describe_exclusion(one) for one in excluded)
    evidence = {
        **_count_evidence(files),
        **decision.evidence,
        "n_slices": len(own_slices),
        "n_frames": best.stack.n_frames,
    }
    return SeriesDecision(series=name, view=decision.view, kept=kept, reason=reason, evidence=evidence)


def _is_kept(name: str, one: ClassifiedStack) -> bool:
    k = one.decision.slice
    return one.decision.kept and (k is None or one.stack.slices[k].series == name)


def _excluded_decision(
    name: str,
    files: SeriesFiles,
    stacks: SortedStacks,
    excluded: Sequence[ExcludedImages],
    classified: Sequence[ClassifiedStack],
) -> SeriesDecision:
    reasons = [f"{reason} ({count} images)" for reason, count in files.excluded.items()]
    reasons += [_describe_exclusion(one) for one in excluded]
    if any(name in stack.series for stack in stacks.stacks):
        reasons.append("its pixels are unreadable")
    repeated = {one.repeat_of for one in excluded if one.repeat_of}
    view = next((one.decision.view for one in classified if repeated & set(one.stack.series)), None)
    reason = "; ".join(reasons) or "its files are unreadable"
    return SeriesDecision(series=name, view=view, kept=False, reason=reason, evidence=_count_evidence(files))


def _describe_exclusion(excluded: ExcludedImages) -> str:
    return f"{excluded.reason} ({excluded.n_images} images)"


def _count_evidence(files: SeriesFiles) -> Facts:
    return {"n_images": files.n_images, **({"folder": files.folder} if files.folder else {})}


def no_cine_error(
    found: FoundFiles, stacks: SortedStacks, assembled: Sequence[AssembledStack]
) -> NoCineError | UnreadableFileError:
    """Return the error for an input without a readable cine: broken pixels, else a summary of what was found."""
    broken = [image for one in assembled for image in one.broken]
    if broken:
        return UnreadableFileError(
            f"the pixels of {len(broken)} images are unreadable "
            f"(first: {place_of(broken[0].number)}: {broken[0].reason}); expected complete files in a "
            "supported encoding: copy them again from their source, or export them uncompressed"
        )
    if found.broken and len(found.broken) >= len(found.headers):
        return UnreadableFileError(
            f"{len(found.broken)} DICOM files are unreadable (first: {place_of(found.broken[0])}) "
            "and the others hold no cine; expected complete files: copy them again from their source"
        )
    decisions = series_decisions(found, stacks, [])
    lines = fold_lines([f"{one.series}: {one.reason}" for one in decisions])
    summary = "; ".join(lines[:_MAX_SERIES_LISTED])
    more = f"; and {len(lines) - _MAX_SERIES_LISTED} more reasons" if len(lines) > _MAX_SERIES_LISTED else ""
    n_images = sum(files.n_images for files in found.series.values())
    if 2 * sum(files.excluded[f"{UNUSABLE} {NO_POSITION}"] for files in found.series.values()) > n_images:
        more += "; positions are absent, as after anonymising: export again with ImagePositionPatient or SliceLocation"
    return NoCineError(
        f"no cine found among {n_images} DICOM files of {len(found.series)} series, {found.n_other_files} other files"
        f" and {len(found.broken)} unreadable ones; expected at least {MIN_FRAMES} frames at one position: check the"
        f" input{'. ' + summary if summary else ''}{more}"
    )


def file_issues(found: FoundFiles) -> list[Issue]:
    """Return issues about files that are not images: other files, DICOMDIR indices, and broken headers."""
    issues = []
    if found.n_other_files or found.n_directories:
        message = f"{found.n_other_files} files that are not DICOM were ignored"
        if found.n_directories:
            message += f", and {found.n_directories} DICOMDIR indices"
        evidence = {"other_files": found.n_other_files, "dicomdir": found.n_directories}
        issues.append(Issue(code="other-files", severity="info", message=message, evidence=evidence))
    if found.broken:
        numbers = ", ".join(map(str, found.broken[:3]))
        more = " ..." if len(found.broken) > 3 else ""
        message = (
            f"{len(found.broken)} DICOM files are unreadable (number {numbers}{more} in the order of names); the study"
            " was read without them"
        )
        evidence = {"files": len(found.broken)}
        issues.append(Issue(code="unreadable-file", severity="warning", message=message, evidence=evidence))
    return [*issues, *_unusable_image_issues(found)]


def _unusable_image_issues(found: FoundFiles) -> list[Issue]:
    """Return an issue for each series with images of no usable place in the patient: of a cine, or enough for one."""
    used = {header.series for header in found.headers}
    issues = []
    for series, files in found.series.items():
        for reason, count in files.excluded.items():
            if (series in used or count >= MIN_FRAMES) and reason.startswith(UNUSABLE):
                what = reason if count > 1 else reason.replace("images", "image", 1)
                message = f"{series}: left out were {count} {what}; make sure that the others show the whole heart"
                evidence: Facts = {"series": series, "images": count}
                issues.append(Issue(code="unusable-images", severity="warning", message=message, evidence=evidence))
    return issues


def issues_of_kept(issues: Sequence[Issue], stacks: Sequence[Stack], is_kept: Sequence[bool]) -> list[Issue]:
    """Return the issues of sorting, those of the kept stacks among them, without those of stacks that are left out.

    What is wrong with images that are not measured is no flag of those that are. Without any kept stack all are
    returned: they may be why there is none.
    """
    kept = [stack for stack, chosen in zip(stacks, is_kept, strict=True) if chosen]
    left_out = [stack for stack, chosen in zip(stacks, is_kept, strict=True) if not chosen]
    if not kept:
        return [*issues, *(i for one in stacks for i in one.issues if i not in issues)]
    own = [issue for one in kept for issue in one.issues]
    not_kept = [issue for one in left_out for issue in one.issues]
    series = {name for one in left_out for name in one.series} - {name for one in kept for name in one.series}
    shared = [
        one for one in issues if one not in own and one not in not_kept and one.evidence.get("series") not in series
    ]
    return [*shared, *own]


def pixel_issues(one: AssembledStack) -> list[Issue]:
    """Return issues about images with broken pixels, the slices lost with them, and pixels of doubtful sign."""
    issues = [
        Issue(
            code="missing-frame",
            severity="warning",
            message=f"frame {image.frame} of slice {image.slice} is unreadable "
            f"({place_of(image.number)}: {image.reason}); it was interpolated in time",
            evidence={"slice": image.slice, "frame": image.frame},
        )
        for image in one.broken
        if image.slice not in one.lost_slices
    ]
    for k in one.lost_slices:
        reason = next((f" ({image.reason})" for image in one.broken if image.slice == k), "")
        message = f"slice {k} was excluded: fewer than half of its frames are readable{reason}"
        issues.append(Issue(code="lost-slice", severity="error", message=message, evidence={"slice": k}))
    return [*issues, *_sign_issues(one), *_polarity_issues(one), *still_issues(one.array)]


def _polarity_issues(one: AssembledStack) -> list[Issue]:
    if not one.inverted:
        return []
    return [
        Issue(
            code="inverted-intensities",
            severity="warning",
            message=f"{len(one.inverted)} images have bright air and dark blood by the photometric interpretation that"
            " their header states (MONOCHROME1 or 2); they were inverted: make sure that blood is bright",
            evidence={"images": len(one.inverted)},
        )
    ]


def _sign_issues(one: AssembledStack) -> list[Issue]:
    if one.signs == "signed":
        return []
    wrapped = one.signs == "wrapped"
    message = "the header declares signed pixels, whose brightest values wrap round to negative ones: " + (
        "they were read as unsigned"
        if wrapped
        else "some bright blood may be dark; look at the images, and export them again as unsigned"
    )
    return [Issue(code="wrapped-intensities", severity="info" if wrapped else "warning", message=message)]


def reference_issues(found: FoundFiles, classified: Sequence[ClassifiedStack]) -> list[Issue]:
    """Return an issue if kept views lie in different frames of reference: the patient may have moved."""
    kept = (cine_slice for one in classified if one.decision.kept for cine_slice in one.stack.slices)
    headers = [found.headers[k] for cine_slice in kept for k in cine_slice.frames if k is not None]
    references = distinct_values(headers, "reference")
    n_series = len({header.series for header in headers})
    if len(references) < 2 or len(references) == n_series >= _OWN_UIDS:
        return []
    message = f"the kept views lie in {len(references)} frames of reference; the patient may have moved"
    return [Issue(code="frame-of-reference", severity="warning", message=message)]
