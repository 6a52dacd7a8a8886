"""A landmark model that saw phantoms only, on one real heart: every frame beside another program's points.

`python benchmarks/landmarks.py --data FOLDER [--model cinema-lax]` where FOLDER is the multi-view study: `study/`
(DICOM) and `reference/GPFile_NNN.txt` (contours and points of frame NNN in patient millimetres, LPS). Prints a
summary and stores benchmarks/results/landmarks_MODEL.json. For research use only; not a medical device.

The reference is a program's too, so this is a check of plausibility. It names the two mitral hinge points of each
view without their sides, so they are paired by the way that makes the sum of distances least in each frame; its apex
is one point in the 4-chamber plane.

`--phantoms N` scores as many phantoms (20 frames, seeds from 9000 on) against their truth too, with masks of the planes
and without.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import Landmarks
from cinema_cmr.core.results import LandmarkPrediction
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.inference.landmark_predictor import LandmarkPredictor
from cinema_cmr.inference.loading import load_landmark_predictor, load_segmenter
from cinema_cmr.inference.long_axis_predictor import predict_landmarks
from cinema_cmr.inference.predictor import predict_study
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.long_axis.estimate import estimate_landmarks
from cinema_cmr.measure.long_axis.measurements import axis_lengths_mm, long_axis_values
from cinema_cmr.measure.quality.landmarks import plausible_landmarks
from cinema_cmr.phantom.phantom import make_phantom

RESULTS = Path(__file__).parent / "results"
PLANES = {View.LAX_4C: "7", View.LAX_2C: "9", View.LAX_3C: "8"}
MAPSE, FIRST_PHANTOM = "mapse_mean_mm", 9000
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])

Points = NDArray[np.float64]


def drawn_points(folder: Path, kind: str, plane: str) -> Points:
    """(t, n, 3) points of one kind in one plane of all frames, RAS mm, in the files' order."""
    frames = []
    for file in sorted(folder.glob("GPFile_*.txt")):
        rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()[1:]]
        frames.append([[float(x) for x in row[:3]] for row in rows if row[3] == kind and row[4] == plane])
    return np.array(frames).reshape(len(frames), -1, 3) * LPS_TO_RAS


def paired(found: Points, drawn: Points) -> Points:
    """Drawn points (t, 2, 3) with the two in the found ones' order, frame by frame, by the least sum of distances."""
    orders = [drawn[:, list(order)] for order in permutations(range(drawn.shape[1]))]
    sums = np.array([np.linalg.norm(found - order, axis=2).sum(axis=1) for order in orders])
    return np.stack([orders[best][t] for t, best in enumerate(np.argmin(np.nan_to_num(sums, nan=np.inf), axis=0))])


def view_summary(found: LandmarkPrediction, folder: Path) -> tuple[dict[str, Any], Landmarks | None]:
    """Distances of one view's points in mm, per frame and as medians; the drawn landmarks where all are there."""
    view = found.landmarks.view
    first, second, apex = LANDMARKS[view]
    points = found.landmarks.points
    hinges = np.stack([points[first], points[second]], axis=1)
    drawn = {
        name: column
        for name, column in zip(
            (first, second),
            np.moveaxis(paired(hinges, drawn_points(folder, "MITRAL_VALVE", PLANES[view])), 1, 0),
            strict=True,
        )
    }
    tip = drawn_points(folder, "APEX_POINT", PLANES[view])
    if tip.size:
        drawn[apex] = tip[:, 0]
    distances = {name: np.linalg.norm(points[name] - drawn[name], axis=1) for name in drawn}
    content = {
        "median_mm": {name: float(np.nanmedian(d)) for name, d in distances.items()},
        "all_points_median_mm": float(np.nanmedian(np.concatenate(list(distances.values())))),
        "frames_without_a_point": {name: int(np.isnan(points[name][:, 0]).sum()) for name in points},
        "confidence_median": {name: float(np.median(values)) for name, values in found.confidence.items()},
        "distance_mm": distances,
        "axis_length_mm": axis_lengths_mm(found.landmarks),
    }
    whole = Landmarks(view=view, points=drawn) if apex in drawn else None
    if whole is not None:
        content["axis_length_drawn_mm"] = axis_lengths_mm(whole)
    return content, whole


def excursions_mm(landmarks: Landmarks) -> dict[str, Points]:
    """MAPSE curve of each hinge point: its way along the long axis since the frame with the longest axis."""
    first, second, apex = LANDMARKS[landmarks.view]
    start = int(np.nanargmax(axis_lengths_mm(landmarks)))
    points = landmarks.points
    axis = points[apex][start] - (points[first][start] + points[second][start]) / 2
    axis = axis / np.linalg.norm(axis)
    return {name: (points[name] - points[name][start]) @ axis for name in (first, second)}


def compared(found: Mapping[View, LandmarkPrediction], folder: Path) -> dict[str, Any]:
    """All views beside the drawn points, MAPSE curves, and what is measured of plausible frames."""
    content: dict[str, Any] = {}
    for view in (view for view in PLANES if view in found):
        content[str(view)], drawn = view_summary(found[view], folder)
        content[str(view)]["excursion_mm"] = excursions_mm(found[view].landmarks)
        content[str(view)]["flags"] = [flag.message for flag in plausible_landmarks(found[view])[1]]
        if drawn is not None:
            content[str(view)]["excursion_drawn_mm"] = excursions_mm(drawn)
            content["measured_drawn"] = {v.name: v.value for v in long_axis_values({view: drawn})}
    kept = {view: its for view, one in found.items() if (its := plausible_landmarks(one)[0]) is not None}
    content["measured"] = {v.name: v.value for v in long_axis_values(kept)}
    return content


def of_phantoms(n: int, finder: LandmarkPredictor) -> dict[str, dict[str, float]]:
    """Mean over phantoms of the median distance of all points, and of MAPSE's error, mm, with masks and without."""
    rows: dict[str, list[tuple[float, float]]] = {"with_masks_of_the_planes": [], "by_heatmaps_alone": []}
    for seed in range(FIRST_PHANTOM, FIRST_PHANTOM + n):
        phantom = make_phantom(seed, views=tuple(PLANES), n_frames=20)
        truth = {value.name: value.value for value in long_axis_values(phantom.landmarks)}
        ways = (predict_landmarks(phantom.study, {}, finder), finder.predict(phantom.study))
        for name, found in zip(rows, ways, strict=True):
            apart = [
                np.nanmedian(np.linalg.norm(one.landmarks.points[point] - its, axis=1))
                for view, one in found.items()
                for point, its in phantom.landmarks[view].points.items()
            ]
            told = {v.name: v.value for v in long_axis_values({view: one.landmarks for view, one in found.items()})}
            rows[name].append((float(np.mean(apart)), abs((told[MAPSE] or np.nan) - (truth[MAPSE] or np.nan))))
    return {
        name: {
            "phantoms": n,
            "distance_mm": float(np.nanmean(its, axis=0)[0]),
            "mapse_error_mm": float(np.nanmean(its, axis=0)[1]),
        }
        for name, its in rows.items()
    }


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="cinema-lax")
    parser.add_argument("--phantoms", type=int, default=0)
    given = parser.parse_args()
    finder = load_landmark_predictor(given.model, device="cpu")
    if finder is None:
        raise SystemExit("no landmark model given")
    study, reference = read_study(given.data / "study"), given.data / "reference"
    seen = predict_study(study, load_segmenter("cinema-sax", device="cpu"))
    content: dict[str, Any] = {
        "model": finder.card.name,
        "weights_sha256": finder.card.weights_sha256,
        "input_sha256": input_digest(given.data / "study"),
        "as_analysed": compared(predict_landmarks(study, seen, finder), reference),
        "without_masks_of_the_planes": compared(
            finder.predict(study, estimate_landmarks(study, seen[View.SAX].labels)), reference
        ),
        "by_heatmaps_alone": compared(finder.predict(study), reference),
    }
    if given.phantoms:
        content["phantoms"] = of_phantoms(given.phantoms, finder)
    print(json.dumps(json.loads(json_text(content)), indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"landmarks_{finder.card.name}.json").write_text(json_text(content), encoding="utf-8")


if __name__ == "__main__":
    main()
