"""What the mitral valve plane changes: LV volumes and EF against the exact truth of phantoms, by each basal rule.

`python benchmarks/valve_plane.py [--n 12] [--frames 10] [--seed 900]` makes phantoms of all groups and styles, segments
them and finds their landmarks as `cinema analyse` does. The masks of the model and the exact masks are measured by the
rules `scmr`, `all-slices` and `valve-plane`, with the landmarks of the model and the exact ones. Stores
benchmarks/results/valve_plane.json: bias and mean absolute error of EDV (ml), ESV (ml) and EF (points) of each.
For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import View
from cinema_cmr.measure.measure import MeasureOptions, measure_masks
from cinema_cmr.measure.quality.landmarks import plausible_by_view
from cinema_cmr.measure.volumes import BasalRule
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom
from cinema_cmr.pipeline.analyzer import Analyzer

RESULTS = Path(__file__).parent / "results"
NAMES = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent")


def errors_of(phantom: PhantomStudy, analyzer: Analyzer) -> Iterator[tuple[str, list[float]]]:
    """Yield "masks, landmarks, rule" and the errors of EDV, ESV and EF against the anatomy at the imaged frames."""
    analysis = analyzer.analyse(phantom.study)
    found, _ = plausible_by_view(analysis.landmarks)
    masks: dict[str, Mapping[View, LabelMap]] = {
        "model's masks": {view: one.labels for view, one in analysis.predictions.items()},
        "exact masks": phantom.labels,
    }
    points: dict[str, Mapping[View, Landmarks]] = {"model's landmarks": found, "exact landmarks": phantom.landmarks}
    curve = phantom.curves["lv_volume_ml"]
    truth = (curve.max(), curve.min(), 100 * (1 - curve.min() / curve.max()))
    for of_masks, labels in masks.items():
        for rule in get_args(BasalRule):
            for of_points, landmarks in points.items() if rule == "valve-plane" else [("no landmarks", {})]:
                options = MeasureOptions(basal_rule=rule)
                values = measure_masks(phantom.study, labels, options=options, landmarks=landmarks)
                measured = [values.value(name) for name in NAMES]
                errors = [
                    np.nan if value is None else value - true for value, true in zip(measured, truth, strict=True)
                ]
                yield f"{of_masks}, {of_points}, {rule}", errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--seed", type=int, default=900)
    options = parser.parse_args()
    errors: dict[str, list[list[float]]] = {}
    analyzer = Analyzer()
    for seed in range(options.seed, options.seed + options.n):
        for key, row in errors_of(make_phantom(seed, n_frames=options.frames), analyzer):
            errors.setdefault(key, []).append(row)
        print(f"phantom {seed}: EF off by {errors[key][-1][2]:+.1f} points by '{key}'", flush=True)
    table = {
        key: {
            name: {"bias": round(float(np.mean(column)), 2), "mean_absolute": round(float(np.mean(np.abs(column))), 2)}
            for name, column in zip(NAMES, np.array(rows).T, strict=True)
        }
        for key, rows in errors.items()
    }
    RESULTS.mkdir(exist_ok=True)
    settings = {"n": options.n, "frames": options.frames, "first_seed": options.seed}
    (RESULTS / "valve_plane.json").write_text(json_text({"settings": settings, "errors": table}), encoding="utf-8")
    print(json_text(table))


if __name__ == "__main__":
    main()
