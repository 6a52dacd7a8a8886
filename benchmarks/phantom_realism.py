"""Phantom images beside real ones: contrast, noise, unevenness and sharpness of short-axis end-diastolic frames.

`python benchmarks/phantom_realism.py --data FOLDER [--phantoms 50]` where FOLDER is the unpacked ACDC database. In the
middle third of each labelled stack, intensities are divided by the LV blood's median; what is measured stands in
`MEASURES`. No real image is shown: the figure (docs/pictures/phantom_realism.png) has one value a study, as boxes, and
benchmarks/results/phantom_realism.json medians and quartiles. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.phantom.subject import GROUPS

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "phantom_realism.png"
RESULTS = ROOT / "benchmarks" / "results" / "phantom_realism.json"
RV, MYO, LV = 1, 2, 3
MEASURES = {
    "myocardium": "myocardium / LV blood",
    "rv_blood": "RV blood / LV blood",
    "dark_around": "5th percentile within 10 to 40 mm of the heart (lung)",
    "bright_around": "95th percentile there (fat, vessels)",
    "unevenness": "SD inside LV blood (papillary muscles included)",
    "noise": "pixel noise in LV blood (differences of neighbours)",
    "edge_mm": "10 to 90 % rise of the endocardial edge, mm",
}

Image = NDArray[np.floating]
Labels = NDArray[np.uint8]


def slice_measures(image: Image, labels: Labels, pixel_mm: tuple[float, float]) -> dict[str, float] | None:
    """Of one slice; None where a structure is too small to tell."""
    lv, myo, rv = (labels == code for code in (LV, MYO, RV))
    if min(lv.sum(), myo.sum()) < 60:
        return None
    blood = float(np.median(image[lv]))
    scaled = image / blood
    outside_mm = ndimage.distance_transform_edt(labels == 0, sampling=pixel_mm)
    around = scaled[(outside_mm > 10) & (outside_mm < 40)]
    pairs = lv[1:] & lv[:-1]
    steps = (scaled[1:] - scaled[:-1])[pairs]
    return {
        "myocardium": float(np.median(scaled[myo])),
        "rv_blood": float(np.median(scaled[rv])) if rv.sum() > 60 else float("nan"),
        "dark_around": float(np.percentile(around, 5)),
        "bright_around": float(np.percentile(around, 95)),
        "unevenness": float(scaled[lv].std()),
        "noise": float(1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2)),
        "edge_mm": edge_mm(scaled, lv, lv | myo, pixel_mm),
    }


def edge_mm(
    image: Image, cavity: NDArray[np.bool_], ventricle: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> float:
    """Width over which the mean intensity by distance from the endocardium falls from 90 to 10 % of its step."""
    inside = ndimage.distance_transform_edt(cavity, sampling=pixel_mm)
    outside = ndimage.distance_transform_edt(~cavity, sampling=pixel_mm)
    distance = np.where(cavity, -inside + 0.5 * pixel_mm[0], outside - 0.5 * pixel_mm[0])
    centres = np.arange(-7.0, 6.1, 0.5)
    profile = [
        float(np.mean(image[near])) if (near := ventricle & (np.abs(distance - c) <= 0.5)).sum() > 5 else np.nan
        for c in centres
    ]
    known = np.isfinite(profile)
    if known.sum() < 10:
        return float("nan")
    x, y = centres[known], np.array(profile)[known]
    high, low = y[x <= -5].mean() if (x <= -5).any() else y[0], y.min()
    share = (y - low) / max(high - low, 1e-6)
    fall = np.flatnonzero(share < 0.9)
    ends = [
        float(np.interp(-level, -np.minimum.accumulate(share[max(fall[0] - 1, 0) :]), x[max(fall[0] - 1, 0) :]))
        for level in (0.9, 0.1)
    ]
    return ends[1] - ends[0]


def study_measures(image: Image, labels: Labels, pixel_mm: tuple[float, float]) -> dict[str, float] | None:
    """Medians over the middle third of the slices with LV; image and labels (x, y, z)."""
    slices = np.flatnonzero((labels == LV).any(axis=(0, 1)))
    third = max(1, len(slices) // 3)
    found = [slice_measures(image[..., z], labels[..., z], pixel_mm) for z in slices[third : len(slices) - third]]
    kept = [row for row in found if row is not None]
    return {name: float(np.nanmedian([row[name] for row in kept])) for name in MEASURES} if kept else None


def real(folder: Path) -> Iterator[dict[str, float]]:
    """Each patient's first labelled frame."""
    dataset = DATASETS["acdc"]
    for case in dataset.list_cases(folder):
        annotated = dataset.read_case(case)
        cine, frame = annotated.study.cine(View.SAX), annotated.labelled_frames[View.SAX][0]
        labels = annotated.labels[View.SAX].array[..., frame]
        row = study_measures(cine.array[..., frame].astype(float), labels, cine.spacing_mm[:2])
        if row is not None:
            yield row


def phantoms(n: int) -> Iterator[dict[str, float]]:
    """The first frame of subjects of all groups, each in a scanner style of its own."""
    for seed in range(n):
        made = make_phantom(40_000 + seed, group=GROUPS[seed % len(GROUPS)], views=(View.SAX,), n_frames=1)
        cine = made.study.cine(View.SAX)
        row = study_measures(cine.array[..., 0].astype(float), made.labels[View.SAX].array[..., 0], cine.spacing_mm[:2])
        if row is not None:
            yield row


def draw(tables: dict[str, list[dict[str, float]]]) -> None:
    """A box for each measure and side."""
    figure, axes = plt.subplots(2, 4, figsize=(13, 6))
    for axis, (name, title) in zip(axes.ravel(), MEASURES.items(), strict=False):
        values = [[row[name] for row in rows if np.isfinite(row[name])] for rows in tables.values()]
        axis.boxplot(values, showfliers=False, widths=0.5)
        for place, its in enumerate(values, 1):
            spread = np.linspace(-0.15, 0.15, len(its))
            axis.plot(place + spread, its, ".", markersize=3, alpha=0.5)
        axis.set_xticks(range(1, len(values) + 1), labels=[f"{side} (n {len(rows)})" for side, rows in tables.items()])
        axis.set_title(title, fontsize=9)
        axis.set_ylim(bottom=0)
    axes.ravel()[-1].axis("off")
    figure.tight_layout()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=90)


def main() -> None:
    """Measure, draw, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--phantoms", type=int, default=50)
    given = parser.parse_args()
    tables = {"phantom": list(phantoms(given.phantoms)), "ACDC": list(real(given.data))}
    draw(tables)
    content = {
        side: {
            "n": len(rows),
            **{name: [float(np.nanpercentile([r[name] for r in rows], q)) for q in (25, 50, 75)] for name in MEASURES},
        }
        for side, rows in tables.items()
    }
    text = json.dumps({"quartiles": content, "what": MEASURES}, indent=1)
    print(text)
    RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
