"""Cines written slice by slice and frame by frame, each image at a phase of its own and with tags of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from synthetic_dicom import HEART, Heart, Plane, new_image, save, short_axis_planes

from cinema_cmr.core.volume import Cine

RR_MS = 800.0
N = 20

Tags = Callable[[int], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class SliceSpec:
    """One slice to be written: its plane, the phase of each image in the order of acquisition, and their tags."""

    plane: Plane
    phases: Sequence[float] = tuple(np.arange(N) / N)
    series: int = 1
    tags: Tags = field(default=lambda k: {"TriggerTime": k * RR_MS / N, "NominalInterval": RR_MS})
    heart: Heart = HEART
    tagged: bool = False

    def with_(self, **facts: Any) -> SliceSpec:
        return replace(self, **facts)


def usual(n: int = 6) -> list[SliceSpec]:
    """A gated stack, one series a slice."""
    return [SliceSpec(plane=plane, series=k + 1) for k, plane in enumerate(short_axis_planes(HEART, n=n, gap_mm=9.0))]


def write(folder: Path, slices: Sequence[SliceSpec]) -> Path:
    count = 0
    for one in slices:
        for k, phase in enumerate(one.phases):
            pixels = one.heart.image(one.plane, float(phase) % 1.0)
            if one.tagged:
                lines = 0.6 + 0.4 * np.cos(2 * np.pi * np.arange(pixels.shape[1]) * one.plane.spacing / 8)
                pixels = (pixels * lines).astype(np.uint16)
            facts = {
                "SeriesNumber": one.series,
                "InstanceNumber": count + k + 1,
                "ImagePositionPatient": one.plane.position.round(5).tolist(),
                "ImageOrientationPatient": list(one.plane.orientation),
                "PixelSpacing": [one.plane.spacing] * 2,
                "Rows": pixels.shape[0],
                "Columns": pixels.shape[1],
                **one.tags(k),
            }
            save(new_image(pixels, **facts), folder / f"{(count + k) * 7919 % 100003:06d}.dcm")
        count += len(one.phases)
    return folder


def ungated(k: int) -> dict[str, Any]:
    """Tags of a real-time image: the clock alone."""
    return {"AcquisitionTime": f"{120000 + k * 0.04:013.6f}"}


def blood_ml(cine: Cine) -> NDArray[np.float64]:
    """(t,) volume of the blood over the cycle, by its brightness."""
    bright = (cine.array > 600).sum(axis=(0, 1))
    return np.asarray((bright * cine.voxel_volumes_ml[:, None]).sum(axis=0), dtype=np.float64)


def true_blood_ml(slices: Sequence[SliceSpec], n_frames: int = N) -> NDArray[np.float64]:
    """The same of the images that were written, in phase and on the grid of the first slice."""
    first, second = slices[0].plane, slices[1].plane
    gap = float(np.linalg.norm(np.array(second.centre) - np.array(first.centre)))
    voxel_ml = first.spacing**2 * gap / 1000
    counts = [
        [
            (one.heart.image(replace(one.plane, spacing=first.spacing, shape=first.shape), t / n_frames) > 600).sum()
            for t in range(n_frames)
        ]
        for one in slices
    ]
    return np.asarray(np.sum(counts, axis=0) * voxel_ml, dtype=np.float64)


def ef(curve: NDArray[np.float64]) -> float:
    return float(100 * (curve.max() - curve.min()) / curve.max())
