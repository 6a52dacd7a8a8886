"""Atria of phantoms by the network's masks of the long axes, beside the same measurements of the exact masks.

    python benchmarks/atria.py [--phantoms 20] [--model cinema-lax-masks]

The phantoms are of seeds that no network has seen, one of each disease group in turn. Stores
benchmarks/results/atria_MODEL.json: mean absolute error, bias and limits of agreement of each value, and how the exact
masks' values lie to the anatomy's own. For research use only; not a medical device.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.long_axis_predictor import segment_long_axes
from cinema_cmr.measure.measure import measure_masks, measure_study
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.phantom.subject import GROUPS

RESULTS = Path(__file__).parent / "results"
VIEWS = (View.LAX_4C, View.LAX_2C)
SEED, N_FRAMES = 91000, 20
NAMES = ("la_volume_max_ml", "la_volume_min_ml", "la_ef_percent", "la_area_max_4c_cm2", "ra_area_max_4c_cm2")


def differences(found: list[float | None], true: list[float | None]) -> dict[str, float | int]:
    """Mean absolute error, bias and 95 % limits of agreement of the pairs that both have."""
    pairs = [(a, b) for a, b in zip(found, true, strict=True) if a is not None and b is not None]
    off = np.array([a - b for a, b in pairs])
    spread = 1.96 * float(off.std(ddof=1))
    return {
        "n": len(pairs),
        "missing": len(found) - len(pairs),
        "true_mean": float(np.mean([b for _, b in pairs])),
        "mean_absolute_error": float(np.abs(off).mean()),
        "bias": float(off.mean()),
        "low": float(off.mean()) - spread,
        "high": float(off.mean()) + spread,
    }


def main() -> None:
    """Measure, compare, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=20)
    parser.add_argument("--model", default="cinema-lax-masks")
    given = parser.parse_args()
    segmenter = load_segmenter(given.model, device="cpu")
    found, exact, anatomy = ({name: list[float | None]() for name in NAMES} for _ in range(3))
    flags: dict[str, int] = {}
    for k in range(given.phantoms):
        made = make_phantom(SEED + k, group=GROUPS[k % len(GROUPS)], views=VIEWS, n_frames=N_FRAMES)
        predicted = measure_study(made.study, segment_long_axes(made.study, segmenter, predicted={}))
        drawn = measure_masks(made.study, made.labels)
        for name in NAMES:
            found[name].append(predicted.value(name))
            exact[name].append(drawn.value(name))
            anatomy[name].append(made.truth.get(name))
        for flag in predicted.flags:
            if flag.code.startswith("atri"):
                flags[flag.code] = flags.get(flag.code, 0) + 1
    result = {
        "model": segmenter.card.name,
        "weights_sha256": segmenter.card.weights_sha256,
        "phantoms": given.phantoms,
        "network_minus_exact_masks": {name: differences(found[name], exact[name]) for name in NAMES},
        "exact_masks_minus_anatomy": {name: differences(exact[name], anatomy[name]) for name in NAMES[:3]},
        "flags": flags,
    }
    text = json.dumps(result, indent=1)
    print(text)
    (RESULTS / f"atria_{segmenter.card.name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
