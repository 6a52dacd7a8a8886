"""Reads image files into a `Study`: frames and slices joined, one cine a view, views by name unless it is a stack."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from cinema_cmr.core.choices import SeriesChoice, SeriesChoices, SeriesName, StudyChoices
from cinema_cmr.core.errors import InputError, NoCineError
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.study import Issue, SeriesDecision, Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES
from cinema_cmr.io.dicom.timing import MIN_FRAMES
from cinema_cmr.io.folded import fold_issues
from cinema_cmr.io.info_cfg import read_info_cfg
from cinema_cmr.io.names import file_stem, natural_key
from cinema_cmr.io.nifti.beats import with_true_beat
from cinema_cmr.io.nifti.file_names import VIEW_PATTERNS, is_mask_name, parse_name, view_from_name
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.joining import NiftiCine, grid_key, join_frames, join_slices
from cinema_cmr.io.nifti.other_formats import is_other_format
from cinema_cmr.io.nifti.sidecar import distance_issues, read_sidecar, with_sidecar_times
from cinema_cmr.io.nifti.slice_grids import are_parallel
from cinema_cmr.io.nifti.voxels import check_nifti, stored_shape
from cinema_cmr.views.still import still_issues

__all__ = ["exclude_masks", "read_nifti_study"]

Severity = Literal["info", "warning", "error"]

_MAX_IMAGES = 30
"""More images than one study has views, not counting frames and slices."""
_OBLIQUE_DEG = 10.0
"""A short-axis stack is 30 to 60 degrees oblique to the patient axes; below this angle it is probably not one."""
_OBLIQUE_COSINE = float(np.cos(np.radians(_OBLIQUE_DEG)))
_SAME_PLACE_MM = 0.5
_GENERIC_WORDS = frozenset(("4d", "cine", "ed", "es", "image", "la", "lax", "stack", "view"))
"""Words in a file name, apart from its view, that do not identify the subject."""


def read_nifti_study(
    files: Sequence[Path], name: str, *, root: Path | None = None, choices: StudyChoices | None = None
) -> Study:
    """Read image files as one study; `root` is their folder if they come from one.

    A file a frame and a file a slice are joined. Raises `InputError` for files of several studies, for two cines of one
    view, and for a decision of the user that cannot be carried out; `NoCineError` without a cine of a known view.
    """
    images, decisions = (list(files), []) if root is None else exclude_masks(files, root)
    decided = _resolved(choices, [*images, *(set(files) - set(images))]) if choices else {}
    images, ignored = _without_ignored([*images, *_wanted_masks(files, images, decided)], decided)
    _check_one_study(images, name)
    candidates, failures = _read_candidates(images)
    if not candidates:
        raise _unusable_error(name, failures, len(decisions))
    joined = join_slices(join_frames(candidates))
    _check_count(joined, name)
    kept, chosen = _choose_views(joined, name, decided)
    _check_carried_out(kept, chosen, decided)
    if not kept:
        raise NoCineError(
            f"'{name}' holds no cine of a recognised view ({chosen[0].series}: {chosen[0].reason}); expected sax,"
            " lax_2c, lax_3c or lax_4c in the file name: rename the files, or give --view FILE=sax"
        )
    failed = [
        SeriesDecision(series=file_stem(path), view=None, kept=False, reason=str(error)) for path, error in failures
    ]
    subject, facts = (Subject(), []) if root is None else read_info_cfg(images[0].parent)
    kept = [_with_true_beat(candidate) for candidate in kept]
    issues = [issue for candidate in kept for issue in (*candidate.issues, *_stack_issues(candidate.cine))]
    return Study(
        name=name,
        cines=tuple(candidate.cine for candidate in kept),
        subject=subject,
        decisions=(*chosen, *failed, *decisions, *ignored),
        issues=(
            *fold_issues(issues),
            *(_issue("file-left-out", "warning", d.reason, file=d.series) for d in failed),
            *_name_issues(joined),
            *facts,
            *_decision_issues(decided),
        ),
    )


def _with_true_beat(candidate: NiftiCine) -> NiftiCine:
    cine, found = with_true_beat(candidate.cine)
    own = tuple(i for i in candidate.issues if not (found and i.code == "cycle-from-frames"))
    return replace(candidate, cine=cine, issues=(*own, *found))


def _issue(code: str, severity: Severity, message: str, **evidence: float | str) -> Issue:
    return Issue(code=code, severity=severity, message=message, evidence=evidence)


def exclude_masks(files: Sequence[Path], root: Path) -> tuple[list[Path], list[SeriesDecision]]:
    """Return the candidate images, one per stem, and a decision on each excluded file."""
    images: dict[Path, Path] = {}
    decisions = []
    for path in files:
        key = path.relative_to(root).with_name(file_stem(path))
        if any(map(is_mask_name, key.parts)):
            reason = "named as a mask, not an image"
        elif key in images:
            reason = f"duplicate of a file that was read: {images[key].name}"
        else:
            images[key] = path
            continue
        decisions.append(SeriesDecision(series=file_stem(path), view=None, kept=False, reason=reason))
    return list(images.values()), decisions


def _resolved(choices: StudyChoices, files: Iterable[Path]) -> dict[str, SeriesChoice]:
    """Return the decision on each file that there is one on, by its stem; numbers in names are no numbers of series."""
    return choices.resolve(SeriesName(label=file_stem(path), also=(path.name,)) for path in files)


def _wanted_masks(files: Sequence[Path], images: Sequence[Path], decided: SeriesChoices) -> list[Path]:
    """Return the files that the user wants used although their names are those of masks."""
    return [path for path in files if path not in images and decided.get(file_stem(path), SeriesChoice()).use]


def _without_ignored(images: Sequence[Path], decided: SeriesChoices) -> tuple[list[Path], list[SeriesDecision]]:
    ignored = [path for path in images if decided.get(file_stem(path), SeriesChoice()).use is False]
    decisions = [
        SeriesDecision(series=file_stem(path), view=None, kept=False, reason="left out by the user") for path in ignored
    ]
    return [path for path in images if path not in ignored], decisions


def _decision_of(candidate: NiftiCine, decided: SeriesChoices) -> SeriesChoice:
    """Return what the user decided about a cine: the decisions on its files together."""
    result = SeriesChoice()
    for path in candidate.files:
        result = result.updated(decided.get(file_stem(path), SeriesChoice()))
    return result


def _check_carried_out(kept: Sequence[NiftiCine], chosen: Sequence[SeriesDecision], decided: SeriesChoices) -> None:
    """Raise `InputError` for a file to be used that is not measured, or not as the view that the user gave."""
    used = {file_stem(path): one.cine.view for one in kept for path in one.files}
    for label, choice in decided.items():
        if choice.use and (label not in used or choice.view not in (None, used[label])):
            reason = next(
                (one.reason for one in chosen if label in one.series), "it cannot be read, or has another grid"
            )
            raise InputError(
                f"'{label}' cannot be used: {reason}; expected a cine that can be measured: give its view with --view,"
                " ignore the other, or take back the decision"
            )


def _decision_issues(decided: SeriesChoices) -> list[Issue]:
    """Return a note on each file that the user decided on."""
    issues = []
    for label, choice in decided.items():
        words = ["left out"] if choice.use is False else ["used"] if choice.use else []
        words += [] if choice.view is None else [f"view {choice.view.title}"]
        if words:
            message = f"'{label}': {', '.join(words)}, as the user decided"
            issues.append(_issue("user-decision", "info", message, file=label, decided_by="user"))
    return list(fold_issues(issues))


def _check_one_study(images: Sequence[Path], name: str) -> None:
    folders = {path.parent for path in images}
    if len(folders) > 1 and not (len(folders) == len(images) and _are_slices_side_by_side(images)):
        raise InputError(
            f"'{name}' has images in {len(folders)} folders; expected one study: pass the folders one by one, or put"
            " the files of one scan into one folder, slices as NAME_slice01, ..., frames as NAME_frame01, ..."
        )
    keys = {parse_name(file_stem(path)).key for path in images}
    if len(keys) > _MAX_IMAGES and sum(map(_is_whole_stack, images)) > _MAX_IMAGES:
        raise InputError(
            f"'{name}' holds {len(keys)} images; expected at most {_MAX_IMAGES} for one study: pass them one by one"
        )


def _are_slices_side_by_side(images: Sequence[Path]) -> bool:
    """Return True for files of one oriented slice each, parallel and at places of their own, by their headers."""
    import nibabel

    try:
        loaded = [nibabel.load(path) for path in images]
        shapes, affines = [one.shape for one in loaded], [np.asarray(one.affine) for one in loaded]
    except Exception:
        # Whatever is wrong with a file, it is reported when it is read.
        return False
    normal = unit(np.cross(affines[0][:3, 0], affines[0][:3, 1]))
    oblique = float(np.abs(normal).max()) < _OBLIQUE_COSINE
    single = all(len(shape) < 3 or shape[2] == 1 for shape in shapes)
    along = sorted(float(affine[:3, 3] @ normal) for affine in affines)
    apart = bool((np.diff(along) > _SAME_PLACE_MM).all())
    return single and oblique and apart and are_parallel(affines)


def _is_whole_stack(path: Path) -> bool:
    """Return True for a file with several slices and frames, by its header alone."""
    if is_other_format(path):
        return False
    try:
        shape = stored_shape(check_nifti(path))
    except InputError:
        # Whatever is wrong with the file, it is reported when it is read.
        return False
    return len(shape) > 3 and shape[2] >= MIN_STACK_SLICES and shape[3] > 1


def _check_count(joined: Sequence[NiftiCine], name: str) -> None:
    if len(joined) > _MAX_IMAGES:
        raise InputError(
            f"'{name}' holds {len(joined)} images that are no frames or slices of one scan; expected at most"
            f" {_MAX_IMAGES} for one study: pass them one by one, or name frames NAME_frame01 and slices NAME_slice01"
        )


def _read_candidates(images: Iterable[Path]) -> tuple[list[NiftiCine], list[tuple[Path, InputError]]]:
    candidates, failures = [], []
    for path in sorted(images, key=natural_key):
        key = parse_name(file_stem(path)).key
        try:
            cine, issues = read_nifti_cine(path, view=view_from_name(key))
        except InputError as error:
            failures.append((path, error))
            continue
        sidecar = read_sidecar(path)
        cine, notes = with_sidecar_times(cine, sidecar)
        if notes:
            issues = tuple(issue for issue in issues if issue.code != "frame-times-unknown")
        notes = [*notes, *distance_issues(cine, sidecar)]
        candidates.append(NiftiCine(cine=cine, files=(path,), key=key, issues=(*issues, *notes), sidecar=sidecar))
    return candidates, failures


def _unusable_error(name: str, failures: Sequence[tuple[Path, InputError]], n_masks: int) -> InputError:
    if len(failures) == 1:
        return failures[0][1]
    if not failures:
        return NoCineError(
            f"'{name}' holds {n_masks} masks and no image; expected the images they were drawn on: add them"
        )
    return NoCineError(f"none of the {len(failures)} images of '{name}' is usable; the first: {failures[0][1]}")


def _choose_views(
    candidates: Sequence[NiftiCine], name: str, decided: SeriesChoices
) -> tuple[list[NiftiCine], list[SeriesDecision]]:
    """Choose one cine per view; return them and a decision on every candidate."""
    by_view, decisions = defaultdict(list), []
    for candidate in candidates:
        choice = _decision_of(candidate, decided)
        view, reason = _choose_view(candidate, alone=len(candidates) == 1)
        if choice.view is not None:
            view, reason = (None if choice.view is View.OTHER else choice.view), "as the user decided"
        if view is None:
            decisions.append(candidate.decision(None, reason))
        else:
            by_view[view].append((candidate, reason))
    kept = []
    for view, rivals in by_view.items():
        best, reason = max(rivals, key=lambda rival: (*_preference(_decision_of(rival[0], decided)), *rival[0].rank))
        preferred = _decision_of(best, decided)
        decisions.append(best.decision(view, reason))
        kept.append(replace(best, cine=replace(best.cine, view=view)))
        for rival, _ in rivals:
            if rival is not best:
                by_user = _preference(_decision_of(rival, decided)) != _preference(preferred)
                why = f"{best.series} is used, as the user decided" if by_user else None
                decisions.append(rival.decision(None, why or _rejection_reason(rival, best, view, name)))
        _check_no_frames_left(best, candidates, name, decided)
    return kept, decisions


def _check_no_frames_left(best: NiftiCine, candidates: Sequence[NiftiCine], name: str, decided: SeriesChoices) -> None:
    """Raise `InputError` for one frame among many images on its grid: they are probably the others of its cine."""
    if best.cine.n_frames > 1 or _decision_of(best, decided) != SeriesChoice():
        return
    alike = [one for one in candidates if grid_key(one.cine) == grid_key(best.cine) and one.cine.n_frames == 1]
    if len(alike) >= MIN_FRAMES:
        raise InputError(
            f"'{name}' holds {len(alike)} images of one frame on one grid ({alike[0].series}, ..., {alike[-1].series}),"
            " whose names do not number them; expected the frames of one cine as NAME_frame01, NAME_frame02, ...:"
            " rename them in the order of time, or choose one with --use"
        )


def _preference(choice: SeriesChoice) -> tuple[float, bool]:
    """Return the sort key of the user's preference: a lower order, then used."""
    return (float("-inf") if choice.order is None else -choice.order, bool(choice.use))


def _choose_view(candidate: NiftiCine, *, alone: bool) -> tuple[View | None, str]:
    n_slices, hint = candidate.cine.n_slices, candidate.hint
    if n_slices >= MIN_STACK_SLICES:
        if hint not in (None, View.SAX):
            return None, (f"named {hint.title}, but a stack of {n_slices} slices; expected one plane, (x, y, 1, time)")
        named = "and so named" if hint else "and no other evidence of the view"
        return View.SAX, f"a stack of {n_slices} parallel slices, {named}"
    if hint is not None:
        return hint, "the file name, the only evidence"
    if alone:
        return View.SAX, "assumed: the only image, and its name does not contain a view"
    return None, f"{n_slices} slices, and its name does not contain a view"


def _rejection_reason(rival: NiftiCine, best: NiftiCine, view: View, name: str) -> str:
    """Return why `best` is preferred; raise `InputError` if both are equally good."""
    if rival.key == best.key:
        return f"the same scan was read with more frames: {best.series}"
    if rival.name.pattern == best.name.pattern:
        raise InputError(
            f"'{name}' holds images whose names differ in a number alone, {best.series} and {rival.series}, and are no"
            " slices side by side; expected one scan: name frames NAME_frame01, ... and slices without positions"
            " NAME_slice01, ..., or leave some out with --ignore"
        )
    if rival.rank[:2] == best.rank[:2]:
        raise InputError(
            f"'{name}' holds two {view.title} images, {best.series} and {rival.series}; expected"
            " one, or slices of one stack on one grid: leave one out with --ignore, or choose with --use"
        )
    return f"{best.series} was read as the {view.title} view: it is named as such, or holds a whole cycle"


def _stack_issues(cine: Cine) -> list[Issue]:
    """Return issues about using this cine as its view."""
    issues = still_issues(cine.array)
    if cine.n_frames == 1:
        message = "only one frame: measured at that frame, without ejection fraction"
        issues.append(_issue("single-frame", "warning", message))
    if cine.view is not View.SAX:
        return issues
    if cine.n_slices < MIN_STACK_SLICES and view_from_name(cine.label) is None:
        message = f"{cine.n_slices} slices were taken as the short axis, as the view is not stated"
        issues.append(_issue("view-assumed", "warning", message))
    normal = np.abs(unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1])))
    off_axis_deg = float(np.degrees(np.arccos(min(1.0, normal.max()))))
    if cine.orientation_known and off_axis_deg < _OBLIQUE_DEG:
        message = "the stack is parallel to the patient axes, unlike a short-axis stack: check the images"
        issues.append(_issue("stack-not-oblique", "warning", message, off_axis_deg=round(off_axis_deg, 1)))
    return issues


def _name_issues(candidates: Sequence[NiftiCine]) -> list[Issue]:
    """Warn if the names differ in more than view and frame, as of two subjects; a plain `sax` matches any name."""
    stems = set()
    for candidate in candidates:
        if _choose_view(candidate, alone=len(candidates) == 1)[0] is None:
            continue
        key = candidate.key
        for pattern in VIEW_PATTERNS.values():
            key = pattern.sub(" ", key)
        stems.add(frozenset(re.findall("[a-z0-9]+", key)) - _GENERIC_WORDS)
    if all(one <= other or other <= one for one, other in combinations(stems, 2)):
        return []
    message = "the file names share no stem apart from view and frame: make sure that all belong to one study"
    return [_issue("names-differ", "warning", message)]
