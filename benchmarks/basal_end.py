"""Which end of a short-axis stack is the base: phantoms and ACDC's patients whose stacks lack slices at either end.

`python benchmarks/basal_end.py [--subjects 100] [--data FOLDER]` cuts none to three slices with LV blood at the apex,
at the base or at both, and whatever lies beyond them. Phantoms (true labels, coarse) lie in the usual position,
mirrored, rotated to any orientation, rotated and mirrored, or without an orientation, with and without their long axes;
ACDC's (expert labels) have neither. An end that is wrong or not found is flagged (`base-uncertain`) or silent. Stores
results/basal_end.json.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nibabel
import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.basal.end import find_base
from cinema_cmr.measure.quality.orientation import is_base_uncertain
from cinema_cmr.phantom.anatomy.body import build_body
from cinema_cmr.phantom.anatomy.chambers import Chambers
from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.anatomy.surfaces import soften_surfaces
from cinema_cmr.phantom.planes import plan_view
from cinema_cmr.phantom.points import plane_landmarks
from cinema_cmr.phantom.render import Beat, render_slice
from cinema_cmr.phantom.styles import draw_style
from cinema_cmr.phantom.subject import GROUPS, draw_subject

RESULTS = Path(__file__).parent / "results" / "basal_end.json"
LV = 3
N_FRAMES = 8
PIXEL_MM = 2.0
MIRROR = np.diag([-1.0, 1.0, 1.0])
CUTS = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0), (1, 1), (2, 2))
"""Slices that are missing at base and apex."""
MIN_SLICES = 3

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Heart:
    """A stack of labels whose base is at one end."""

    cine: Cine
    labels: LabelMap
    base_first: bool
    landmarks: Mapping[View, Landmarks]


def phantom(seed: int) -> Heart:
    """The true labels of a phantom, and its long-axis points."""
    style = replace(draw_style(seed), pixel_mm=PIXEL_MM, acquired_mm=(2.1, 2.2))
    body = build_body(build_heart(draw_subject(seed, group=GROUPS[seed % len(GROUPS)])))
    plane = plan_view(body.heart, View.SAX, style)
    times = np.arange(N_FRAMES) * body.heart.left_cycle.rr_interval_ms / N_FRAMES
    frames = [body.heart.frame(float(time)) for time in times]
    chambers = Chambers(heart=body.heart)
    parts = [soften_surfaces(one, chambers.at(one), style.pixel_mm, style.thickness_mm / 3) for one in frames]
    beat = Beat(parts=parts)
    slices = [
        render_slice(body, beat, plane, k, tissues=style.signals, flow=style.flow).labels for k in range(plane.shape[2])
    ]
    labels = np.stack(slices).astype(np.uint8).transpose(2, 3, 0, 1)
    long_axes = (View.LAX_2C, View.LAX_4C)
    points = {view: plane_landmarks(body.heart, frames, plan_view(body.heart, view, style)) for view in long_axes}
    return Heart(
        cine=cine_of(labels, plane.affine),
        labels=LabelMap(array=labels),
        base_first=bool(plane.affine[:3, 2] @ body.heart.pose.towards_apex > 0),
        landmarks={view: one for view, one in points.items() if one is not None},
    )


def cine_of(labels: NDArray[np.uint8], affine: Array, *, oriented: bool = True) -> Cine:
    """The grid of a stack, without its images."""
    return Cine(
        array=np.broadcast_to(np.float32(0), labels.shape),
        affine=affine,
        view=View.SAX,
        slice_positions_mm=np.arange(labels.shape[2]) * float(np.linalg.norm(affine[:3, 2])),
        orientation_known=oriented,
    )


def acdc(folder: Path) -> Iterator[Heart]:
    """The expert labels of ACDC's training patients, whose first slice is the basal one."""
    for patient in sorted((folder / "acdc" / "database" / "training").glob("patient*")):
        images = [nibabel.load(path) for path in sorted(patient.glob("*_gt.nii.gz"))]
        labels = np.stack([np.asarray(image.dataobj) for image in images], axis=3).astype(np.uint8)
        affine = np.diag([*(float(size) for size in images[0].header.get_zooms()[:3]), 1.0])
        cine = cine_of(labels, affine, oriented=False)
        yield Heart(cine=cine, labels=LabelMap(array=labels), base_first=True, landmarks={})


def cut(heart: Heart, basal: int, apical: int) -> Heart | None:
    """The heart without slices at its ends; None if fewer than three with LV blood remain."""
    held = np.flatnonzero((heart.labels.array == LV).any(axis=(0, 1, 3)))
    n = heart.cine.n_slices
    if len(held) - basal - apical < MIN_SLICES:
        return None
    low, high = (basal, apical) if heart.base_first else (apical, basal)
    kept = list(range(held[low] if low else 0, held[-high] if high else n))
    return replace(heart, cine=heart.cine.select(slices=kept), labels=LabelMap(array=heart.labels.array[:, :, kept]))


def moved(heart: Heart, movement: Array) -> Heart:
    """The heart with its body rotated or reflected in space by a (3, 3) matrix."""
    affine = heart.cine.affine.copy()
    affine[:3] = movement @ affine[:3]
    points = {
        view: replace(one, points={name: at @ movement.T for name, at in one.points.items()})
        for view, one in heart.landmarks.items()
    }
    return replace(heart, cine=replace(heart.cine, affine=affine), landmarks=points)


def random_rotation(rng: np.random.Generator) -> Array:
    """A rotation, uniform over all."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q if np.linalg.det(q) > 0 else -q)


def positions_of(heart: Heart, seed: int) -> dict[str, Heart]:
    """Title -> the heart in that position."""
    rng = np.random.default_rng((seed, 7))
    alone = replace(heart, landmarks={})
    turn, other = random_rotation(rng), random_rotation(rng) @ MIRROR
    return {
        "usual": alone,
        "usual, long axes": heart,
        "mirrored": moved(alone, MIRROR),
        "rotated": moved(alone, turn),
        "rotated, long axes": moved(heart, turn),
        "rotated and mirrored": moved(alone, other),
        "no orientation": replace(alone, cine=replace(heart.cine, orientation_known=False)),
    }


def outcome(heart: Heart) -> str:
    """ "right", "right, flagged", "flagged" (wrong or not found, with a flag) or "silent"."""
    found = find_base(heart.cine, heart.labels, heart.landmarks)
    flagged = is_base_uncertain(found)
    if found.end == ("first" if heart.base_first else "last"):
        return "right, flagged" if flagged else "right"
    return "flagged" if flagged else "silent"


def count(hearts: Mapping[str, Heart], counts: dict[str, dict[str, Counter[str]]], source: str) -> None:
    """Add the outcomes of a heart in its positions, cut in every way."""
    for position, heart in hearts.items():
        for basal, apical in CUTS:
            part = cut(heart, basal, apical)
            if part is not None:
                title = f"{basal} basal, {apical} apical slices missing"
                counts.setdefault(f"{source}: {position}", {}).setdefault(title, Counter())[outcome(part)] += 1


def main() -> None:
    """Print and store the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    counts: dict[str, dict[str, Counter[str]]] = {}
    for seed in range(arguments.subjects):
        count(positions_of(phantom(seed), seed), counts, "phantoms")
    for heart in acdc(arguments.data) if arguments.data else ():
        count({"no orientation": heart}, counts, "ACDC")
    for group, table in counts.items():
        print(group)
        for title, counter in table.items():
            print(f"  {title:40s}", "  ".join(f"{name} {number}" for name, number in sorted(counter.items())))
    record = {group: {title: dict(counter) for title, counter in table.items()} for group, table in counts.items()}
    RESULTS.write_text(json.dumps({"subjects": arguments.subjects, "counts": record}, indent=1) + "\n")


if __name__ == "__main__":
    main()
