"""Atria of real four-chamber images beside an expert's ventricle, as a folder that `cinema finetune` reads.

`python benchmarks/four_chamber_atria.py --data kaggle:FOLDER -o OUT [--model cinema-lax-masks] [--part validation]`; of
the training cases, or of those held out, for `cinema evaluate --data OUT --part all`.

No person's atria were drawn in the data at hand. Where they lie follows from the expert's left ventricle: behind its
straight cut at the mitral plane is the left atrium, beside that, behind the right ventricle of the segmentation model,
the right one. Both are grown from there through what is as bright as blood, along edges and necks (a watershed), and
freed of veins (an opening). Images in which a size is improbable beside the ventricle's are left out. The outlines are
rough, each in its own way: a network that learns them from hundreds of people, together with phantoms, sees what they
share. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.components import largest_component
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import CHAMBER_LABELS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.reading import find_cases
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.measure.long_axis.cut import points_of_cut

CODES = {label.name: label.code for label in CHAMBER_LABELS}

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DEEP_MM, BESIDE_MM = 80.0, 100.0
"""How far behind the mitral plane and to the right of its middle blood may count."""
VEIN_MM = 5.5
"""Radius of what is opened: veins and the appendage are narrower than atria."""
GAP_TO_LV_MM, GAP_TO_RV_MM = 14.0, -4.0
"""Blood up to here behind the plane may join an atrium with its ventricle; for the right one from here on."""
LEAST_MM2 = {"la": 250.0, "ra": 300.0}
SHARE_OF_LV = {"la": (0.12, 1.3), "ra": (0.2, 1.6)}
"""Sizes that are accepted: areas, also as shares of the left ventricle's."""
LEAST_RADIUS_MM = {"la": 6.0, "ra": 8.0}
LEAST_RV_PIXELS = 100


def disc(radius: float) -> Mask:
    """A disc of a radius in pixels."""
    n = int(np.ceil(radius))
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    return np.asarray(x * x + y * y <= radius * radius)


def opened(mask: Mask, radius: float) -> Mask:
    """What of a mask (x, y) a disc of a radius in pixels reaches."""
    return np.asarray(ndimage.binary_opening(mask, disc(radius)))


def closed(mask: Mask, radius: float) -> Mask:
    """A mask (x, y) with gaps closed by a disc of a radius in pixels, at the edge of the image too."""
    n = int(np.ceil(radius)) + 1
    return np.asarray(ndimage.binary_closing(np.pad(mask, n), disc(radius))[n:-n, n:-n])


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One image with the expert's left ventricle and the model's right one and wall."""

    image: Array
    """(x, y)."""
    lv: Mask
    rv: Mask
    wall: Mask
    mm: float
    """Size of a pixel."""
    cut: Array
    """(3, 2) pixels: both corners of the ventricle's cut, and its apex."""

    @cached_property
    def frame(self) -> tuple[Array, Array, Array]:
        """Middle of the valve (pixels), unit vectors from the apex to it, and across to the right ventricle."""
        middle = self.cut[:2].mean(axis=0)
        back = middle - self.cut[2]
        back = back / np.linalg.norm(back)
        across = np.array([-back[1], back[0]])
        rv = np.argwhere(self.rv).mean(axis=0)
        return middle, back, across if (rv - middle) @ across > 0 else -across

    @cached_property
    def places(self) -> tuple[Array, Array]:
        """(x, y) of every pixel: mm behind the mitral plane, and mm towards the right heart."""
        middle, back, across = self.frame
        off = np.stack(np.meshgrid(*map(np.arange, self.image.shape), indexing="ij"), axis=-1) - middle
        return off @ back * self.mm, off @ across * self.mm

    @property
    def half_valve_mm(self) -> float:
        """Half the width of the mitral valve."""
        return float(np.linalg.norm(self.cut[0] - self.cut[1])) * self.mm / 2

    @cached_property
    def blood(self) -> Mask:
        """Pixels outside the ventricles that are brighter than half-way from wall to blood."""
        smooth = ndimage.gaussian_filter(self.image, 0.7)
        core = ndimage.binary_erosion(self.wall, disc(1))
        dark = np.median(smooth[core if core.any() else self.wall])
        bright = np.median(smooth[ndimage.binary_erosion(self.lv, disc(3))])
        beside_wall = ndimage.binary_dilation(self.wall, disc(1))
        return np.asarray((smooth > (dark + bright) / 2) & ~self.lv & ~self.rv & ~beside_wall)


def atria(plane: Plane) -> dict[str, Mask] | None:
    """Return both atria (x, y), or None where they are not found or of improbable size."""
    behind, beside = plane.places
    region = (behind > -3) & (behind < DEEP_MM) & (beside > -55) & (beside < BESIDE_MM)
    blood = opened(plane.blood & region, 1.5)
    depth = ndimage.distance_transform_edt(blood) * plane.mm
    seeds = _seeds(plane, blood, depth)
    if seeds is None:
        return None
    basins = _grown(plane, blood, depth, seeds)
    found: dict[str, Mask] = {}
    for number, (name, seed) in enumerate(seeds.items(), 1):
        part = opened((basins == number) & blood, min(VEIN_MM, 0.6 * depth[seed]) / plane.mm)
        pieces, _ = ndimage.label(part)
        if not pieces[seed] or depth[seed] < LEAST_RADIUS_MM[name]:
            return None
        found[name] = np.asarray(ndimage.binary_fill_holes(pieces == pieces[seed]))
    found = _joined_with_ventricles(plane, found)
    free = ~(plane.lv | plane.rv | plane.wall)
    smooth = {name: (ndimage.gaussian_filter(mask.astype(float), 1.5) > 0.5) & free for name, mask in found.items()}
    smooth["ra"] &= ~smooth["la"]
    return smooth if all(_is_probable(name, mask, plane) for name, mask in smooth.items()) else None


def _is_probable(name: str, mask: Mask, plane: Plane) -> bool:
    area, lv = (float(one.sum()) * plane.mm**2 for one in (mask, plane.lv))
    low, high = SHARE_OF_LV[name]
    return area > LEAST_MM2[name] and low * lv < area < high * lv


def _seeds(plane: Plane, blood: Mask, depth: Array) -> dict[str, tuple[int, int]] | None:
    """Return a pixel deep in each atrium: behind the mitral valve, and behind the right ventricle; None without."""
    behind, beside = plane.places
    half = plane.half_valve_mm
    of_rv_behind, of_rv_beside = behind[plane.rv], beside[plane.rv]
    right = max(float(of_rv_beside[of_rv_behind > np.median(of_rv_behind)].mean()), half + 15)
    off = np.hypot(behind - 18, beside - right)
    zones = {
        "la": blood & (behind > 6) & (behind < 45) & (np.abs(beside) < half + 4),
        "ra": blood & (off < 26) & (beside > 0.9 * half),
    }
    if not all(zone.any() for zone in zones.values()):
        return None
    worth = {
        "la": np.minimum(depth, 20) - 0.15 * np.abs(behind - 24) - 0.15 * np.abs(beside),
        "ra": np.minimum(depth, 25) - 0.2 * off,
    }
    best = {name: np.argmax(np.where(zone, worth[name], -np.inf)) for name, zone in zones.items()}
    return {name: tuple(map(int, np.unravel_index(at, blood.shape))) for name, at in best.items()}  # type: ignore[misc]


def _grown(plane: Plane, blood: Mask, depth: Array, seeds: Mapping[str, tuple[int, int]]) -> NDArray[np.int16]:
    """Return the basin of each seed (1, 2, ...) in (x, y) by a watershed over edges and necks of the blood."""
    edges = ndimage.gaussian_gradient_magnitude(plane.image, 1.0)
    edges = np.clip(edges / np.percentile(edges[blood | plane.lv], 95) * 120, 0, 120)
    cost = np.clip(0.15 * np.clip(255 - 8 * depth, 0, 255) + 1.5 * edges, 0, 255).astype(np.uint8)
    markers = np.where(blood, 0, len(seeds) + 1).astype(np.int16)
    for number, seed in enumerate(seeds.values(), 1):
        radius = np.clip(0.6 * depth[seed], 4, 10) / plane.mm
        near = np.hypot(*(np.indices(blood.shape) - np.reshape(seed, (2, 1, 1)))) < radius
        markers[near & blood] = number
    basins: NDArray[np.int16] = ndimage.watershed_ift(cost, markers)
    return basins


def _joined_with_ventricles(plane: Plane, found: Mapping[str, Mask]) -> dict[str, Mask]:
    """Return the atria with what lies between them and their ventricles."""
    behind, beside = plane.places
    half, taken = plane.half_valve_mm, found["la"] | found["ra"] | plane.lv | plane.rv
    left = closed(found["la"] | plane.lv, 6 / plane.mm) & ~taken & ~plane.wall
    left &= (behind > -1) & (behind < GAP_TO_LV_MM) & (np.abs(beside) < half)
    right = closed(found["ra"] | plane.rv, 20 / plane.mm) & ~taken & ~left & plane.blood
    right &= (behind > GAP_TO_RV_MM) & (beside > 0.5 * half)
    return {"la": found["la"] | left, "ra": found["ra"] | opened(right, 1.5)}


def codes_of(cine: Cine, drawn: NDArray[np.bool_], predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (x, y, 1, t) codes of a cine: the expert's ventricle and the atria, nothing in frames without them.

    `drawn` and `predicted` are (x, y, t): the expert's ventricle, and the model's codes.
    """
    codes = np.zeros(cine.array.shape, np.uint8)
    for t in range(cine.n_frames):
        cut = points_of_cut(drawn[..., t], cine.spacing_mm[:2])
        rv = largest_component(opened(predicted[..., t] == CODES["rv"], 2))
        wall = (predicted[..., t] == CODES["myo"]) & ~drawn[..., t]
        if cut is None or rv.sum() < LEAST_RV_PIXELS or not wall.any():
            continue
        image = cine.array[:, :, 0, t].astype(np.float64)
        mm = float(np.sqrt(cine.spacing_mm[0] * cine.spacing_mm[1]))
        found = atria(Plane(image=image, lv=drawn[..., t], rv=rv, wall=wall, mm=mm, cut=cut))
        if found is not None:
            for name, mask in {**found, "lv": drawn[..., t]}.items():
                codes[:, :, 0, t][mask] = CODES[name]
    return codes


def main() -> None:
    """Find and write the atria of every person of a part in whom they are found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="kaggle:FOLDER with four-chamber images")
    parser.add_argument("-o", "--out", required=True, type=Path)
    parser.add_argument("--model", default="cinema-lax-masks")
    parser.add_argument("--part", default="train")
    given = parser.parse_args()
    dataset, cases = find_cases(given.data)
    segmenter = load_segmenter(given.model, device="cpu")
    n_people = n_frames = 0
    given.out.mkdir(parents=True)
    # Names apart from those of the data that they were made from: no patient may be in two data sets of a run.
    stated = {"codes": {str(CODES[name]): name for name in ("lv", "la", "ra")}}
    (given.out / "labels.json").write_text(json_text(stated), encoding="utf-8")
    for case in (case for case in cases if case.facts.get("part") == given.part):
        annotated = dataset.read_case(case)
        cine = replace(annotated.study.cine(View.LAX_4C), orientation_known=True)
        drawn = annotated.labels[View.LAX_4C].array[:, :, 0] == CODES["lv"]
        codes = codes_of(cine, drawn, predict_cine(cine, segmenter).labels.array[:, :, 0])
        if codes.any():
            folder = given.out / f"{case.name}-atria"
            write_cine(replace(cine, source=None, sources=None), folder / "lax_4c.nii.gz")
            write_mask(LabelMap(array=codes, scheme="chambers"), cine, folder / "lax_4c_seg.nii.gz")
            n_people += 1
            n_frames += int(codes.any(axis=(0, 1, 2)).sum())
    print(f"{n_frames} images of {n_people} people: {given.out}")


if __name__ == "__main__":
    main()
