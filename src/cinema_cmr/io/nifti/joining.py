"""Files that are parts of one cine: a file a frame, a file a slice, or both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError
from cinema_cmr.core.geometry import unit
from cinema_cmr.core.study import Issue, SeriesDecision
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.dicom.stack import MIN_STACK_SLICES
from cinema_cmr.io.names import file_stem
from cinema_cmr.io.nifti.file_names import FileName, parse_name, view_from_name
from cinema_cmr.io.nifti.sidecar import Sidecar
from cinema_cmr.io.nifti.slice_grids import alike_slices, are_parallel

__all__ = ["NiftiCine", "grid_key", "join_frames", "join_slices"]

Array = NDArray[np.float64]

_MOST_NAMED = 3
"""Of more files only the first and the last are named."""
_UNCERTAIN_FRAMES = 3
"""From this many files on, `_t123` or a trigger time is that of a frame."""
_STEP_MS = (5.0, 250.0)
_CYCLE_MS = (400.0, 1500.0)
_SAME_PLACE_MM = 0.5
_MAX_OFFSET_MM = 20.0
"""Offset of slices beside their common line that breathing explains."""


@dataclass(frozen=True, kw_only=True)
class NiftiCine:
    """A cine of a NIfTI study whose view is not yet decided, and the files that it is made of."""

    cine: Cine
    files: tuple[Path, ...]
    key: str
    """File name without frame or cycle suffix: equal for the files of one scan."""
    issues: tuple[Issue, ...]
    sidecar: Sidecar = field(default_factory=Sidecar)

    @property
    def series(self) -> str:
        """Name for reports: the stems of its files."""
        stems = [file_stem(path) for path in self.files]
        return " + ".join(stems) if len(stems) <= _MOST_NAMED else f"{stems[0]} to {stems[-1]} ({len(stems)} files)"

    @property
    def hint(self) -> View | None:
        """The view that the name states."""
        return view_from_name(self.key)

    @property
    def name(self) -> FileName:
        """Parts of the name of the first file."""
        return parse_name(file_stem(self.files[0]))

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Preference as the cine of a view: named as the view, a whole cycle, more frames, more slices."""
        cine = self.cine
        whole = cine.n_frames > 2 or (cine.n_frames > 1 and len(self.files) == 1)
        return self.hint is not None, whole, cine.n_frames, cine.n_slices

    def decision(self, view: View | None, reason: str) -> SeriesDecision:
        """Return the decision on this cine, with its shape and the view in its name."""
        evidence = {
            "shape": " x ".join(str(extent) for extent in self.cine.array.shape),
            "view_in_name": None if self.hint is None else str(self.hint),
        }
        return SeriesDecision(series=self.series, view=view, kept=view is not None, reason=reason, evidence=evidence)


def join_frames(candidates: Sequence[NiftiCine]) -> list[NiftiCine]:
    """Join the candidates that are single frames of one scan, keeping the order.

    Frames are recognised by a word in the names, or by trigger times beside images on one oriented grid; a number alone
    may be that of a patient. Raises `GeometryError` for named frames on different grids.
    """
    groups: dict[Hashable, list[tuple[float, NiftiCine]]] = defaultdict(list)
    for candidate in candidates:
        key, order = _frame_key(candidate)
        groups[key].append((order, candidate))
    joined: list[NiftiCine] = []
    for key, group in groups.items():
        frames = [candidate for _, candidate in sorted(group, key=lambda numbered: numbered[0])]
        orders = sorted(order for order, _ in group)
        joined.extend([_joined_frames(frames, orders)] if len(frames) >= _least(key, frames) else frames)
    return joined


def _frame_key(candidate: NiftiCine) -> tuple[Hashable, float]:
    """Return what the frames of one scan share, and the place of this one among them."""
    name, trigger_ms = candidate.name, candidate.sidecar.trigger_ms
    if candidate.cine.n_frames > 1:
        return ("cycle", candidate.key, id(candidate)), 0.0
    if name.frame is not None and name.certain:
        return ("frame", candidate.key), float(name.frame)
    grid = grid_key(candidate.cine)
    if name.frame is not None:
        return ("time", candidate.key, grid), float(name.frame)
    if candidate.cine.orientation_known and trigger_ms is not None:
        return ("trigger", name.pattern, grid), trigger_ms
    return ("alone", candidate.key, id(candidate)), 0.0


def _least(key: Hashable, frames: Sequence[NiftiCine]) -> int:
    """Return from how many files on a group is one cine."""
    kind = key[0] if isinstance(key, tuple) else ""
    several = {"frame": 2, "time": _UNCERTAIN_FRAMES, "trigger": _UNCERTAIN_FRAMES}
    return several.get(str(kind), len(frames) + 1)


def grid_key(cine: Cine) -> Hashable:
    """Return shape and position of a cine, to 0.01 mm: equal for frames of one scan."""
    return (cine.array.shape[:3], tuple(np.round(cine.affine, 2).ravel().tolist()))


def _joined_frames(frames: Sequence[NiftiCine], orders: Sequence[float]) -> NiftiCine:
    first = frames[0].cine
    for frame in frames[1:]:
        same_place = np.allclose(frame.cine.affine, first.affine, rtol=0, atol=1e-2)
        if frame.cine.array.shape != first.array.shape or not same_place:
            raise GeometryError(
                f"{frames[0].series} and {frame.series} have different grids; expected frames of one scan on one grid:"
                " pass them separately"
            )
    times, cycle, issues = _times(frames, orders)
    array = np.concatenate([frame.cine.array for frame in frames], axis=3)
    cine = replace(first, array=array, label=frames[0].key or "frames", frame_times_ms=times, rr_interval_ms=cycle)
    own = {(issue.code, issue.message): issue for frame in reversed(frames) for issue in frame.issues}
    files = tuple(frame.files[0] for frame in frames)
    return NiftiCine(cine=cine, files=files, key=frames[0].key, issues=(*own.values(), *issues))


def _times(
    frames: Sequence[NiftiCine], orders: Sequence[float]
) -> tuple[NDArray[np.float64] | None, float | None, list[Issue]]:
    """Return the times of frames and the cycle, from trigger times beside the images or in their names."""
    triggers = [frame.sidecar.trigger_ms for frame in frames]
    named = all(frame.name.is_time for frame in frames)
    values = triggers if None not in triggers else list(orders) if named else None
    if values is None or len(values) < _UNCERTAIN_FRAMES:
        return None, None, []
    times = np.array(sorted(float(value or 0.0) for value in values))
    steps = np.diff(times)
    step = float(np.median(steps))
    if not (_STEP_MS[0] <= step <= _STEP_MS[1] and steps.min() > 0):
        return None, None, []
    # Times in names are rounded to a millisecond: the mean step is the better one where none is missing.
    step = float(steps.mean()) if steps.max() < 1.5 * step else step
    stated = [frame.sidecar.cycle_ms for frame in frames if frame.sidecar.cycle_ms]
    cycle = float(np.median(stated)) if stated else step * len(times)
    source = "beside the images" if None not in triggers else "in the file names"
    message = f"frame times are the trigger times {source}"
    issue = Issue(code="frame-times-joined", severity="info", message=message, evidence={"step_ms": round(step, 2)})
    plausible = _CYCLE_MS[0] <= cycle <= _CYCLE_MS[1]
    return times - times[0], cycle if plausible else None, [issue]


def join_slices(candidates: Sequence[NiftiCine]) -> list[NiftiCine]:
    """Join the candidates that are single slices of one stack: parallel and in line, whatever their in-plane grids.

    They share a name apart from its numbers, or are all named short axis. Files without orientation are joined by a
    slice number in their names only, at the distance of their thickness, with a warning.
    """
    groups: dict[Hashable, list[NiftiCine]] = defaultdict(list)
    for candidate in _made_alike(candidates):
        groups[_stack_key(candidate)].append(candidate)
    joined: list[NiftiCine] = []
    for key, group in groups.items():
        usable = key[0] if isinstance(key, tuple) else ""
        slices = _in_order(group) if usable in ("placed", "numbered") and len(group) > 1 else None
        joined.extend(group if slices is None else [_joined_slices(slices, placed=usable == "placed")])
    return joined


def _made_alike(candidates: Sequence[NiftiCine]) -> list[NiftiCine]:
    """Return the candidates with the slices of each scan on one grid, where parallel ones side by side are on several.

    The first of them carries the notes.
    """
    scans: dict[str, list[int]] = defaultdict(list)
    for k, one in enumerate(candidates):
        if one.cine.n_slices == 1 and one.cine.orientation_known and one.hint in (None, View.SAX):
            scans[_scan(one)].append(k)
    result = list(candidates)
    for members in scans.values():
        own = [candidates[k] for k in members]
        several = len({_stack_key(one) for one in own}) > 1
        if not several or len(own) < MIN_STACK_SLICES or not are_parallel([one.cine.affine for one in own]):
            continue
        cines, issues = alike_slices([one.cine for one in own])
        alike = [replace(one, cine=cine) for one, cine in zip(own, cines, strict=True)]
        if _in_order(alike) is None:
            continue
        alike[0] = replace(alike[0], issues=(*alike[0].issues, *issues))
        for k, one in zip(members, alike, strict=True):
            result[k] = one
    return result


def _scan(candidate: NiftiCine) -> str:
    return "sax" if candidate.hint is View.SAX else candidate.name.pattern


def _stack_key(candidate: NiftiCine) -> Hashable:
    cine, name = candidate.cine, candidate.name
    alone = ("alone", candidate.key, id(candidate))
    if cine.n_slices != 1 or candidate.hint not in (None, View.SAX):
        return alone
    scan = _scan(candidate)
    plane = (cine.array.shape[:2], cine.n_frames, tuple(np.round(cine.affine[:3, :2], 2).ravel().tolist()))
    if cine.orientation_known:
        return ("placed", scan, plane)
    return ("numbered", name.pattern, plane) if name.slice is not None else alone


def _in_order(group: Sequence[NiftiCine]) -> list[NiftiCine] | None:
    """Return slices by position, else by number; None for two at one place or out of line."""
    if not group[0].cine.orientation_known:
        numbers = [one.name.slice for one in group]
        return sorted(group, key=lambda one: one.name.slice or 0) if len(set(numbers)) == len(numbers) else None
    normal = _normal(group[0].cine)
    ordered = sorted(group, key=lambda one: float(one.cine.affine[:3, 3] @ normal))
    origins = np.array([one.cine.affine[:3, 3] for one in ordered])
    along = origins @ normal
    beside = np.linalg.norm(origins - origins[0] - np.outer(along - along[0], normal), axis=1)
    limit = _MAX_OFFSET_MM + 0.36 * (along - along[0])
    return None if np.diff(along).min() < _SAME_PLACE_MM or (beside > limit).any() else ordered


def _normal(cine: Cine) -> Array:
    """Return the direction in which the slices of a file are stored, across its plane."""
    normal: Array = unit(np.cross(cine.affine[:3, 0], cine.affine[:3, 1]))
    return normal if float(normal @ cine.affine[:3, 2]) >= 0 else -normal


def _joined_slices(slices: Sequence[NiftiCine], *, placed: bool) -> NiftiCine:
    first, last = slices[0].cine, slices[-1].cine
    normal, affine = _normal(first), first.affine.copy()
    if placed:
        affine[:3, 2] = (last.affine[:3, 3] - affine[:3, 3]) / (len(slices) - 1)
        positions = np.array([float((one.cine.affine[:3, 3] - affine[:3, 3]) @ normal) for one in slices])
    else:
        positions = np.arange(len(slices)) * float(np.linalg.norm(affine[:3, 2]))
    label = slices[0].name.pattern.replace("#", "").strip("_- ") or slices[0].key
    cine = replace(
        first,
        array=np.concatenate([one.cine.array for one in slices], axis=2),
        affine=affine,
        slice_positions_mm=positions,
        label=label,
        source=None,
        slice_thickness_mm=float(np.linalg.norm(first.affine[:3, 2])),
    )
    own = {(i.code, i.message): i for one in reversed(slices) for i in one.issues if i.code != "single-slice"}
    issues = [*own.values(), *_slice_issues(slices, positions, placed=placed)]
    files = tuple(file for one in slices for file in one.files)
    return NiftiCine(cine=cine, files=files, key=slices[0].key, issues=tuple(issues))


def _slice_issues(slices: Sequence[NiftiCine], positions: Array, *, placed: bool) -> list[Issue]:
    count = f"{len(slices)} files of one slice each"
    if not placed:
        message = (
            f"{count} carry no position; they were stacked by the numbers in their names, as far apart as they are"
        )
        return [_issue("slice-positions-unknown", "warning", f"{message} thick: check the volumes", len(slices))]
    issues = [_issue("slices-joined", "info", f"{count} were read as one stack, by their positions", len(slices))]
    gaps = np.diff(positions)
    usual, widest = float(np.median(gaps)), int(gaps.argmax())
    if len(gaps) >= 3 and gaps[widest] > 1.6 * usual:
        message = (
            f"slices {widest} and {widest + 1} are {gaps[widest]:.1f} mm apart, the others {usual:.1f} mm:"
            " a slice may be missing; volumes use the true distances"
        )
        issues.append(_issue("slice-gap", "warning", message, len(slices)))
    return issues


def _issue(code: str, severity: str, message: str, n_slices: int) -> Issue:
    evidence = {"n_slices": n_slices}
    if severity == "warning":
        return Issue(code=code, severity="warning", message=message, evidence=evidence)
    return Issue(code=code, severity="info", message=message, evidence=evidence)
