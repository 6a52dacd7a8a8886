"""A synthetic study of a beating heart with labels, landmarks and ground truth.

The study is a pure function of the subject's seed, the style, the views and the number of frames. For research use
only; not a medical device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.phantom.anatomy.body import Body, build_body
from cinema_cmr.phantom.anatomy.chambers import Chambers
from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.anatomy.surfaces import soften_surfaces
from cinema_cmr.phantom.imaging import acquire, signal_gain
from cinema_cmr.phantom.planes import ImagePlane, plan_view, scan_seed
from cinema_cmr.phantom.points import plane_landmarks
from cinema_cmr.phantom.render import Beat, render_slice
from cinema_cmr.phantom.styles import Style, draw_style, find_style
from cinema_cmr.phantom.subject import PhantomSubject, draw_subject
from cinema_cmr.phantom.truth import ground_truth

__all__ = ["PHANTOM_VIEWS", "PhantomStudy", "image_subject", "make_phantom"]

PHANTOM_VIEWS = (View.SAX, View.LAX_2C, View.LAX_3C, View.LAX_4C)
"""Views that a phantom can be imaged in."""

_STREAMS = {View.SAX: 0, View.LAX_2C: 1, View.LAX_3C: 2, View.LAX_4C: 3}


@dataclass(frozen=True, kw_only=True)
class PhantomStudy:
    """A synthetic study with its ground truth."""

    study: Study
    labels: Mapping[View, LabelMap]
    """All frames on the cine's grid: 0 background, 1 RV, 2 MYO, 3 LV (papillary muscles in the blood pool), and in the
    long-axis views 4 LA, 5 RA (without veins and appendage)."""
    landmarks: Mapping[View, Landmarks]
    """Landmarks of each imaged view that has any (`core.vocabulary.LANDMARKS`)."""
    truth: Mapping[str, float]
    """Exact measurements from the anatomy, not the images, under the names of `cinema_cmr.measure`."""
    curves: Mapping[str, NDArray[np.float64]]
    """"lv_volume_ml" and "rv_volume_ml" of the anatomy, (t,) each."""
    group: str
    style: str
    seed: int
    subject: PhantomSubject


def make_phantom(
    seed: int,
    *,
    group: str | None = None,
    style: str | None = None,
    views: Sequence[View] = PHANTOM_VIEWS,
    n_frames: int = 25,
    scan: int = 0,
) -> PhantomStudy:
    """Draw the subject of a seed and image it; see `draw_subject` and `image_subject`."""
    return image_subject(draw_subject(seed, group=group), style=style, views=views, n_frames=n_frames, scan=scan)


def image_subject(
    subject: PhantomSubject,
    *,
    style: str | None = None,
    views: Sequence[View] = PHANTOM_VIEWS,
    n_frames: int = 25,
    scan: int = 0,
) -> PhantomStudy:
    """Image a subject in a named style, or in a style drawn from its seed.

    `scan` 1, 2, ... are further scans of the same heart: planes are planned anew, slices lie elsewhere, breath holds
    and noise differ; the anatomy, and with it the truth, stays.

    Raises `UsageError` for an unknown style or view, a repeated view, or less than one frame.
    """
    if n_frames < 1 or scan < 0:
        raise UsageError(f"{n_frames} frames of scan {scan} were requested; expected at least 1, of scan 0, 1, ...")
    if not views or len(set(views)) < len(views):
        raise UsageError(f"views are {[str(view) for view in views]}; expected at least one, each of them once")
    chosen = draw_style(subject.seed) if style is None else find_style(style)
    body = build_body(build_heart(subject))
    rr_ms = body.heart.left_cycle.rr_interval_ms
    times = np.arange(n_frames) * rr_ms / n_frames
    frames = [body.heart.frame(float(time)) for time in times]
    planes = {view: plan_view(body.heart, view, chosen, scan=scan) for view in views}
    # The sheets of a stack follow each other along the axis of the heart, those of a long-axis plane hardly do.
    sheets_mm = {view: plane.thickness_mm / 3 if view is View.SAX else 1.0 for view, plane in planes.items()}
    vessels = Chambers(heart=body.heart)
    chambers = [vessels.at(frame) for frame in frames]
    beats = {
        sheet: Beat(
            parts=[soften_surfaces(*pair, chosen.pixel_mm, sheet) for pair in zip(frames, chambers, strict=True)]
        )
        for sheet in set(sheets_mm.values())
    }
    images = {
        view: _image_view(body, beats[sheets_mm[view]], plane, chosen, times_ms=times, scan=scan)
        for view, plane in planes.items()
    }
    points = {view: plane_landmarks(body.heart, frames, plane) for view, plane in planes.items()}
    return PhantomStudy(
        study=Study(
            name=f"phantom-{subject.seed:06d}{f'-scan{scan}' if scan else ''}",
            cines=tuple(cine for cine, _ in images.values()),
            subject=subject.metadata,
        ),
        labels={view: labels for view, (_, labels) in images.items()},
        landmarks={view: marks for view, marks in points.items() if marks is not None},
        truth=ground_truth(body.heart),
        curves={
            "lv_volume_ml": np.array([body.heart.left.cavity_ml(frame.left) for frame in frames]),
            "rv_volume_ml": np.array([body.heart.right.volume_ml(frame.right) for frame in frames]),
        },
        group=subject.group,
        style=chosen.name,
        seed=subject.seed,
        subject=subject,
    )


def _image_view(
    body: Body, beat: Beat, plane: ImagePlane, style: Style, *, times_ms: NDArray[np.float64], scan: int
) -> tuple[Cine, LabelMap]:
    """Image a plane in all frames; return its cine and labels."""
    nx, ny, nz = plane.shape
    # Memory order follows the computation, slice by slice and frame by frame; the cine is a transposed view of it.
    images = np.empty((nz, len(beat.parts), nx, ny), dtype=np.float32)
    labels = np.empty(images.shape, dtype=np.uint8)
    with_atria = plane.view.is_long_axis
    for index in range(nz):
        rendered = render_slice(body, beat, plane, index, tissues=style.signals, flow=style.flow, with_atria=with_atria)
        rng = np.random.default_rng(scan_seed(body.subject.seed, 14, _STREAMS[plane.view], index, scan=scan))
        rendered.signal[:] *= signal_gain(body, plane, index, style)
        images[index], labels[index] = acquire(rendered.signal, style, rng=rng), rendered.labels
    cine = Cine(
        array=images.transpose(2, 3, 0, 1),
        affine=plane.affine,
        view=plane.view,
        slice_positions_mm=plane.positions_mm,
        frame_times_ms=times_ms,
        rr_interval_ms=body.heart.left_cycle.rr_interval_ms,
        slice_thickness_mm=plane.thickness_mm,
        label=f"phantom {plane.view}",
    )
    return cine, LabelMap(array=labels.transpose(2, 3, 0, 1), scheme=plane.view.cine_scheme)
