"""Which of several short-axis stacks is measured, and what is reported of those left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import plane_angle_deg
from cinema_cmr.core.study import Issue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.views.candidate import Candidate, ViewDecision
from cinema_cmr.views.slice_quality import noise_share
from cinema_cmr.views.still import still_issues

__all__ = ["ANOTHER_RATE", "describe_preference", "left_out_issues", "looks_tagged", "preferred_stack"]

Array = NDArray[np.float64]

_COMPARABLE = 0.6
"""Share of the longest stack's length from which a stack may be preferred for its kind."""
ANOTHER_RATE = 1.2
"""Ratio of cycle lengths above which two stacks are of two states, rest and stress."""
_COARSE = 1.6
"""Ratio of pixel sizes from which the coarser stack is a preview; matrix and field of view of cines vary by less."""
_NOISIER = 1.5
"""Ratio of noise from which one of two stacks is clearly noisier: a choice, no real repeats were at hand."""
_NOISY = 0.03
"""Noise as a share of the brightest tissue below which it does no harm."""
_NOISE_FRAMES = 4
_TAG_PERIOD_MM = (4.0, 11.0)
_TAG_PEAK = 20.0
"""Strongest frequency of tagging lines over the median of the band, from which an image is tagged. Every slice of four
real cines is below 7; with lines of 30 % contrast drawn on them all are above 60 (tests/views/test_competing.py)."""
_PARALLEL_DEG = 10.0
_BESIDE_MM = 50.0
"""Centres further apart than this within their plane show different organs, unless the images show a short axis."""
_ADJOINING_GAPS = 2.5


def preferred_stack(indices: Sequence[int], candidates: Sequence[Candidate]) -> int:
    """Return the stack to measure of several short-axis stacks.

    Of stacks of comparable length a cine is preferred to tagging, a gated one to one without gating, one at rest to one
    under stress, an original to a derived one, one with times after the R wave to one without, one with pixels that are
    not much larger, and one without much more noise; then more slices, more frames, a longer one, the later.
    """
    longest = max(_length_mm(candidates[k].cine) for k in indices)
    comparable = [k for k in indices if _length_mm(candidates[k].cine) >= _COMPARABLE * longest]
    return max(comparable, key=lambda k: _rank(candidates[k], [candidates[j] for j in comparable]))


def _rank(one: Candidate, rivals: Sequence[Candidate]) -> tuple[object, ...]:
    cine = one.cine
    size = (cine.n_slices, cine.n_frames, float(cine.slice_positions_mm[-1]))
    kind = (
        not one.tagged,
        _moves(cine),
        one.gated and cine.in_phase,
        _at_rest(one, rivals),
        not one.derived,
        one.timed,
        _is_fine(one, rivals),
        _is_clear(one, rivals),
    )
    return (*kind, *size, one.acquisition_order)


def _is_fine(one: Candidate, rivals: Sequence[Candidate]) -> bool:
    """Return True unless the pixels are much larger than those of a rival, as of a preview."""
    return _pixel_mm(one) < _COARSE * min(map(_pixel_mm, rivals))


def _is_clear(one: Candidate, rivals: Sequence[Candidate]) -> bool:
    """Return True unless the images have clearly more noise than those of a rival."""
    own = _noise(one)
    return own < _NOISY or own < _NOISIER * min(map(_noise, rivals))


def _noise(one: Candidate) -> float:
    cine = one.cine
    return noise_share(cine.array[:, :, cine.n_slices // 2, :: max(1, cine.n_frames // _NOISE_FRAMES)])


def _moves(cine: Cine) -> bool:
    """Return False for a stack of which each slice shows one and the same image in all frames."""
    return not any(issue.evidence["n_slices"] == cine.n_slices for issue in still_issues(cine.array))


def _pixel_mm(one: Candidate) -> float:
    return float(np.sqrt(np.prod(one.cine.spacing_mm[:2])))


def _at_rest(one: Candidate, rivals: Sequence[Candidate]) -> bool:
    if "stress" in one.hints:
        return False
    cycles = [cycle for rival in rivals if (cycle := _cycle_ms(rival.cine))]
    own = _cycle_ms(one.cine)
    return own is None or not cycles or own * ANOTHER_RATE >= max(cycles)


def _cycle_ms(cine: Cine) -> float | None:
    """Return the cycle or, to compare stacks with each other only, the time that the frames span."""
    if cine.rr_interval_ms is not None or cine.frame_times_ms is None:
        return cine.rr_interval_ms
    times = cine.frame_times_ms
    return float(times[-1] - times[0]) * len(times) / max(len(times) - 1, 1)


def _length_mm(cine: Cine) -> float:
    return float(cine.slice_weights_mm.sum())


def describe_preference(rejected: Candidate, kept: Candidate) -> str:
    """Return how a rejected stack differs from the kept one in kind; "" for the same kind."""
    pair = [rejected, kept]
    if rejected.tagged and not kept.tagged:
        return "tagged"
    if kept.gated and not rejected.gated:
        return "without gating"
    if _at_rest(kept, pair) and not _at_rest(rejected, pair):
        own, other = rejected.cine.rr_interval_ms, kept.cine.rr_interval_ms
        rates = f", {60000 / own:.0f} beats per minute, not {60000 / other:.0f}" if own and other else ""
        return f"under stress{rates}"
    if rejected.derived and not kept.derived:
        return "derived from other images"
    return _image_difference(rejected, kept)


def _image_difference(rejected: Candidate, kept: Candidate) -> str:
    pair = [rejected, kept]
    if _moves(kept.cine) and not _moves(rejected.cine):
        return "of one and the same image in all frames"
    if not _is_fine(rejected, pair):
        return "with much larger pixels"
    return "" if _is_clear(rejected, pair) else "with more noise"


def left_out_issues(candidates: Sequence[Candidate], decisions: Sequence[ViewDecision]) -> list[Issue]:
    """Return the issues of short-axis slices that are not measured: those beyond the kept stack, and rival stacks."""
    kept = next((k for k, one in enumerate(decisions) if one.view is View.SAX and one.kept), None)
    if kept is None:
        return []
    beyond: list[tuple[Candidate, float]] = []
    rivals: list[Candidate] = []
    for one, decision in zip(candidates, decisions, strict=True):
        if decision.kept or decision.view not in (View.SAX, View.OTHER) or "valve or vessel" in one.hints:
            continue
        # A wrong pixel size or matrix moves the centre of an image, though not along the normal.
        beside_mm = np.inf if decision.view is View.SAX else _BESIDE_MM
        outside_mm, share = _outside(one, candidates[kept], beside_mm=beside_mm)
        if share >= 0.5:
            beyond.append((one, outside_mm))
        elif decision.view is View.SAX:
            rivals.append(one)
    found = [_beyond_issue(beyond, candidates[kept]), _rival_issue(rivals, candidates[kept])]
    return [issue for issue in found if issue]


def _outside(one: Candidate, kept: Candidate, *, beside_mm: float) -> tuple[float, float]:
    """Return how far slices reach beyond the kept stack that they adjoin, in mm, and the share of them that do.

    Those whose centres lie further than `beside_mm` from its line are none of them.
    """
    planes, own = one.planes, kept.planes
    normal = own[0].normal
    if one.tagged or plane_angle_deg(planes[0].normal, normal) > _PARALLEL_DEG:
        return 0.0, 0.0
    middle = own[len(own) // 2].centre
    offsets = np.array([plane.centre - middle for plane in planes])
    ends = np.array([plane.centre - middle for plane in (own[0], own[-1])]) @ normal
    along = offsets @ normal
    beside = np.linalg.norm(offsets - along[:, None] * normal, axis=1)
    gap = _length_mm(kept.cine) / max(kept.cine.n_slices, 1)
    past = np.maximum(along - ends.max(), ends.min() - along)
    outside = past > 0.5 * gap
    if float(np.median(beside)) > beside_mm or not outside.any() or past[outside].min() > _ADJOINING_GAPS * gap:
        return 0.0, 0.0
    return float(past.max()), float(outside.mean())


def _beyond_issue(beyond: Sequence[tuple[Candidate, float]], kept: Candidate) -> Issue | None:
    if not beyond:
        return None
    labels = ", ".join(one.cine.label for one, _ in beyond)
    count = sum(one.cine.n_slices for one, _ in beyond)
    reach = max(mm for _, mm in beyond)
    return Issue(
        code="short-axis-continues",
        severity="error",
        message=f"{count} slices ({labels}) continue the short-axis stack ({kept.cine.label}) for {reach:.0f} mm and"
        " were left out: volumes and ejection fraction lack what they show; check why they differ from the stack",
        evidence={"series": labels, "n_slices": count, "beyond_mm": round(reach, 1)},
    )


def _rival_issue(rivals: Sequence[Candidate], kept: Candidate) -> Issue | None:
    if not rivals:
        return None
    texts = []
    for one in rivals:
        kind = describe_preference(one, kept)
        size = f"{one.cine.n_slices} slices x {one.cine.n_frames} frames"
        texts.append(f"{one.cine.label} ({size}{', ' + kind if kind else ''})")
    tagged = all(one.tagged for one in rivals)
    return Issue(
        code="short-axis-left-out",
        severity="info" if tagged else "warning",
        message=f"{len(rivals)} other short-axis stack{'s' * (len(rivals) > 1)} left out: {'; '.join(texts)}; measured:"
        f" {kept.cine.label} ({kept.cine.n_slices} slices x {kept.cine.n_frames} frames)",
        evidence={"n_stacks": len(rivals), "kept": kept.cine.label},
    )


def looks_tagged(cine: Cine) -> bool:
    """Return True if the first frame of the middle slice shows the lines of a tagging grid: one strong frequency."""
    image = cine.array[:, :, cine.n_slices // 2, 0].astype(np.float64)
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    power = np.abs(np.fft.fft2((image - image.mean()) * window))
    dx, dy, _ = cine.spacing_mm
    fx, fy = np.fft.fftfreq(image.shape[0], dx), np.fft.fftfreq(image.shape[1], dy)
    frequency = np.hypot(fx[:, None], fy[None, :])
    period = 1 / np.maximum(frequency, 1e-9)
    band = (period >= _TAG_PERIOD_MM[0]) & (period <= _TAG_PERIOD_MM[1])
    if not band.any():
        return False
    # Natural images fall off with frequency: compared as if they fell off with its square.
    flat = (power * frequency**2)[band]
    return bool(flat.max() > _TAG_PEAK * np.median(flat))
