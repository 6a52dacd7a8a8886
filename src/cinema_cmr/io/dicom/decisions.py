"""What became of every series and file: decisions with evidence, issues, and the error if no cine is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cinema_cmr.core.errors import NoCineError, UnreadableFileError
from cinema_cmr.core.study import Evidence, Issue, SeriesDecision
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.files import FoundFiles, SeriesFiles
from cinema_cmr.io.dicom.pixels import AssembledStack
from cinema_cmr.io.dicom.sort import LeftOut, SortedStacks
from cinema_cmr.io.dicom.stack import Stack
from cinema_cmr.views.verdict import Verdict

__all__ = ["JudgedStack", "decide", "file_issues", "nothing_to_read", "pixel_issues", "reference_issues"]

_MAX_SERIES_SAID = 12


@dataclass(frozen=True, kw_only=True)
class JudgedStack:
    """A stack that could be read, with the verdict on its view."""

    stack: Stack
    verdict: Verdict


def decide(found: FoundFiles, stacks: SortedStacks, judged: Sequence[JudgedStack]) -> tuple[SeriesDecision, ...]:
    """One decision for every series of the input, in the order of their numbers."""
    own = {name: [one for one in judged if name in one.stack.series] for name in found.series}
    decisions = []
    for name, files in sorted(found.series.items(), key=lambda item: (item[1].number or 0, item[0])):
        left = [one for one in stacks.left_out if one.series == name]
        if own[name]:
            decisions.append(_of_cine(name, files, own[name], left))
        else:
            decisions.append(_of_left_out(name, files, stacks, left, judged))
    return tuple(decisions)


def _of_cine(name: str, files: SeriesFiles, judged: Sequence[JudgedStack], left: Sequence[LeftOut]) -> SeriesDecision:
    """The decision on a series whose slices are in one or more stacks: the most useful of their verdicts."""
    best = max(judged, key=lambda one: (_is_kept(name, one), one.verdict.view is not View.OTHER))
    verdict, slices = best.verdict, best.stack.slices
    kept = _is_kept(name, best)
    mine = [k for k, cut in enumerate(slices) if cut.series == name]
    reason = verdict.reason
    if len(best.stack.series) > 1 and verdict.slice is None:
        reason = f"slice {', '.join(map(str, mine))} of {len(slices)} (from 0): {reason}"
    elif verdict.kept and not kept:
        reason = f"parallel to the {verdict.view.title} plane of another series, further from the axis"
    if left:
        reason += "; " + "; ".join(_said(one) for one in left)
    evidence = {**_counted(files), **verdict.evidence, "n_slices": len(mine), "n_frames": best.stack.n_frames}
    return SeriesDecision(series=name, view=verdict.view, kept=kept, reason=reason, evidence=evidence)


def _is_kept(name: str, one: JudgedStack) -> bool:
    k = one.verdict.slice
    return one.verdict.kept and (k is None or one.stack.slices[k].series == name)


def _of_left_out(
    name: str,
    files: SeriesFiles,
    stacks: SortedStacks,
    left: Sequence[LeftOut],
    judged: Sequence[JudgedStack],
) -> SeriesDecision:
    reasons = [f"{reason} ({count} images)" for reason, count in files.left_out.items()]
    reasons += [_said(one) for one in left]
    if any(name in stack.series for stack in stacks.stacks):
        reasons.append("its pixels cannot be read")
    repeated = {one.repeat_of for one in left if one.repeat_of}
    view = next((one.verdict.view for one in judged if repeated & set(one.stack.series)), None)
    reason = "; ".join(reasons) or "its files cannot be read"
    return SeriesDecision(series=name, view=view, kept=False, reason=reason, evidence=_counted(files))


def _said(left: LeftOut) -> str:
    return f"{left.reason} ({left.n_images} images)"


def _counted(files: SeriesFiles) -> Evidence:
    return {"n_images": files.n_images, **({"folder": files.folder} if files.folder else {})}


def nothing_to_read(
    found: FoundFiles, stacks: SortedStacks, assembled: Sequence[AssembledStack]
) -> NoCineError | UnreadableFileError:
    """The error for an input without a readable cine: broken pixels, else what there is instead of a cine."""
    broken = [image for one in assembled for image in one.broken]
    if broken:
        return UnreadableFileError(
            f"the pixels of {len(broken)} images cannot be read "
            f"(first: '{broken[0].stem}': {broken[0].reason}); the files are truncated or corrupt, or in an "
            "encoding that is not supported: copy them again from their source, or export them uncompressed"
        )
    if found.broken and len(found.broken) >= len(found.headers):
        return UnreadableFileError(
            f"{len(found.broken)} DICOM files cannot be read (first: '{found.broken[0]}') "
            "and the others hold no cine; they are truncated or corrupt: copy them again from their source"
        )
    decisions = decide(found, stacks, [])
    said = ". ".join(f"{one.series}: {one.reason}" for one in decisions[:_MAX_SERIES_SAID])
    more = f". And {len(decisions) - _MAX_SERIES_SAID} more series" if len(decisions) > _MAX_SERIES_SAID else ""
    n_images = sum(files.n_images for files in found.series.values())
    return NoCineError(
        f"no cine found among {n_images} DICOM images in {len(found.series)} series, "
        f"{found.n_other_files} other files and {len(found.broken)} unreadable ones; "
        f"expected 8 frames or more at one place{'. ' + said if said else ''}{more}"
    )


def file_issues(found: FoundFiles) -> list[Issue]:
    """Issues for files that are no images: other files, indices, and files whose header is broken."""
    issues = []
    if found.n_other_files or found.n_directories:
        message = f"{found.n_other_files} files that are not DICOM were passed over"
        if found.n_directories:
            message += f", and {found.n_directories} DICOMDIR index"
        evidence = {"other_files": found.n_other_files, "dicomdir": found.n_directories}
        issues.append(Issue(code="other-files", severity="info", message=message, evidence=evidence))
    if found.broken:
        stems = ", ".join(f"'{stem}'" for stem in found.broken[:3])
        more = " ..." if len(found.broken) > 3 else ""
        message = f"{len(found.broken)} DICOM files cannot be read ({stems}{more}); the study was read without them"
        evidence = {"files": len(found.broken)}
        issues.append(Issue(code="unreadable-file", severity="warning", message=message, evidence=evidence))
    return issues


def pixel_issues(one: AssembledStack) -> list[Issue]:
    """Issues for images whose pixels are broken, and for slices lost with them."""
    issues = [
        Issue(
            code="missing-frame",
            severity="warning",
            message=f"frame {image.frame} of slice {image.slice} cannot be read "
            f"('{image.stem}': {image.reason}); it was filled from its neighbours in time",
            evidence={"slice": image.slice, "frame": image.frame},
        )
        for image in one.broken
        if image.slice not in one.lost_slices
    ]
    for k in one.lost_slices:
        message = f"slice {k} was left out: less than half of its frames can be read"
        issues.append(Issue(code="lost-slice", severity="error", message=message, evidence={"slice": k}))
    return issues


def reference_issues(found: FoundFiles, judged: Sequence[JudgedStack]) -> list[Issue]:
    """An issue where kept views lie in different frames of reference: the patient may have been moved."""
    of_series: dict[str, set[str]] = {}
    for one in judged:
        for cut in one.stack.slices if one.verdict.kept else ():
            images = {found.headers[k].reference for k in cut.frames if k is not None}
            of_series.setdefault(cut.series, set()).update(images)
    # Some de-identifiers give every image a frame of reference of its own: then it says nothing.
    if any(len(own) > 1 for own in of_series.values()):
        return []
    references = set().union(*of_series.values()) - {""}
    if len(references) < 2:
        return []
    message = f"the kept views lie in {len(references)} frames of reference; the patient may have moved"
    return [Issue(code="frame-of-reference", severity="warning", message=message)]
