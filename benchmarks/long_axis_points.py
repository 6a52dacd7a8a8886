"""Landmarks of real four-chamber images from an expert's cavity, as a folder that `cinema finetune landmark` reads.

`python benchmarks/long_axis_points.py --data kaggle:FOLDER -o OUT [--model cinema-lax-masks]`; training cases only.

The corners of the cavity's straight cut are the hinge points, its furthest point the apex (`measure.long_axis.cut`).
Which of the corners is septal says the right ventricle of the segmentation model, which the expert did not draw. A
plane that is mirrored by that is flipped, since landmark models expect planes as they are displayed; people whose right
ventricle lies beside neither corner are left out. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.datasets.reading import find_cases
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.measure.long_axis.cut import points_of_cut
from cinema_cmr.measure.long_axis.mask import in_order

LV = 3

Points = NDArray[np.float64]


def standard(cine: Cine, drawn: NDArray[np.bool_], segmenter: Segmenter) -> tuple[Cine, Points, bool] | None:
    """A cine as it is displayed, its points (t, 3, 2) in pixels, and whether it was flipped; None if not certain.

    `drawn` (x, y, t); frames without points are left out.
    """
    found = [points_of_cut(drawn[..., t], cine.spacing_mm[:2]) for t in range(cine.n_frames)]
    frames = [t for t, points in enumerate(found) if points is not None]
    if not frames:
        return None
    cine = cine.select(frames=frames)
    labels = predict_cine(cine, segmenter).labels
    ordered = in_order(np.stack([points for points in found if points is not None]), labels, cine)
    if ordered is None:
        return None
    septal, lateral, apex = ordered.mean(axis=0)
    across, up = lateral - septal, apex - (septal + lateral) / 2
    if across[0] * up[1] - across[1] * up[0] < 0:
        return cine, ordered, False
    flipped = ordered.copy()
    flipped[..., 0] = cine.array.shape[0] - 1 - flipped[..., 0]
    return cine.with_array(np.ascontiguousarray(cine.array[::-1])), flipped, True


def write(cine: Cine, points: Points, folder: Path) -> None:
    """Write a cine and its points (t, 3, 2) in pixels as a study of a folder data set."""
    write_cine(replace(cine, source=None, sources=None), folder / "images" / "lax_4c.nii.gz")
    placed = apply_affine(cine.affine, np.concatenate([points, np.zeros((*points.shape[:2], 1))], axis=2))
    names = {name: placed[:, k].tolist() for k, name in enumerate(LANDMARKS[View.LAX_4C])}
    (folder / "landmarks.json").write_text(json_text({str(View.LAX_4C): names}), encoding="utf-8")


def main() -> None:
    """Write the training cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="kaggle:FOLDER")
    parser.add_argument("--model", default="cinema-lax-masks")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    segmenter, (dataset, cases) = load_segmenter(given.model, device="cpu"), find_cases(given.data)
    counts = {"written": 0, "flipped": 0, "left out": 0}
    for case in (case for case in cases if case.facts.get("part") == "train"):
        annotated = dataset.read_case(case)
        drawn = annotated.labels[View.LAX_4C].array[:, :, 0] == LV
        found = standard(annotated.study.cine(View.LAX_4C), drawn, segmenter)
        if found is None:
            counts["left out"] += 1
            continue
        cine, points, is_flipped = found
        write(cine, points, given.output / case.name)
        counts["written"] += 1
        counts["flipped"] += is_flipped
    print(counts)


if __name__ == "__main__":
    main()
