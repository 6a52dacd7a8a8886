"""How exact the phantom is: volumes, EF, landmarks and measured truth over subjects of all groups.

`python benchmarks/phantom_exactness.py [--subjects 50]`. For each subject: volumes of LV, myocardium and RV counted on
a grid of 1.25 mm at ED and ES against the stated ones; the same and EF from the true masks of an imaged stack (style
"ideal", 8 mm, ten frames) through the measurement code; and the landmarks of both long-axis planes against label maps
ten times finer than the image. Prints and stores benchmarks/results/phantom_exactness.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.results import HeartLocation, Prediction
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.measure.measure import measure_study
from cinema_cmr.phantom.anatomy.heart import Heart, HeartFrame, build_heart
from cinema_cmr.phantom.anatomy.left_ventricle import MYOCARDIAL_DENSITY_G_ML
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.phantom.planes import ImagePlane, plan_view
from cinema_cmr.phantom.points import plane_landmarks
from cinema_cmr.phantom.styles import find_style
from cinema_cmr.phantom.subject import GROUPS, draw_subject

RESULTS = Path(__file__).parent / "results" / "phantom_exactness.json"
GRID_MM = 1.25
FINER = 10
"""Points of the fine label map to a pixel's side."""

Array = NDArray[np.float64]


def counted_ml(heart: Heart, frame: HeartFrame) -> dict[str, float]:
    """Volumes in ml by counting the points of a grid through the whole heart."""
    axis = np.arange(-110, 110, GRID_MM) + 0.37
    found = dict.fromkeys(("lv", "myo", "rv"), 0)
    y, z = np.meshgrid(axis, axis, indexing="ij")
    for x in axis:
        points = heart.locate(heart.origin + np.stack([np.full_like(y, x), y, z], axis=-1))
        radius = {name: getattr(frame, name).ravel()[points.index] for name in ("endo", "epi", "rv_inner", "rv_blood")}
        below = points.z >= frame.left.base_mm
        lv = below & (points.radius < radius["endo"])
        myo = below & (points.radius < radius["epi"]) & ~lv
        rv = (points.radius < radius["rv_blood"]) & (points.radius >= radius["rv_inner"]) & ~lv & ~myo
        for name, inside in (("lv", lv), ("myo", myo), ("rv", rv)):
            found[name] += int(inside.sum())
    return {name: count * GRID_MM**3 / 1000 for name, count in found.items()}


def fine(seed: int, group: str) -> dict[str, float]:
    """Relative errors of counted volumes in percent, EF errors in points."""
    heart = build_heart(draw_subject(seed, group=group))
    its, cycle = heart.subject, heart.left_cycle
    ed, es = (counted_ml(heart, heart.frame(t)) for t in (0.0, cycle.systole_ms + cycle.relaxation_ms / 2))
    stated_es = its.lv_edv_ml * (1 - its.lv_ef_percent / 100)
    return {
        "lv_edv_percent": 100 * (ed["lv"] / its.lv_edv_ml - 1),
        "lv_esv_percent": 100 * (es["lv"] / stated_es - 1),
        "rv_edv_percent": 100 * (ed["rv"] / its.rv_edv_ml - 1),
        "lv_mass_percent": 100 * (ed["myo"] * MYOCARDIAL_DENSITY_G_ML / its.lv_mass_g - 1),
        "lv_ef_points": 100 * (1 - es["lv"] / ed["lv"]) - its.lv_ef_percent,
    }


def stack(seed: int, group: str) -> dict[str, float]:
    """What the measurement code makes of the true masks of a stack, against the volumes of the same frames."""
    made = make_phantom(seed, group=group, style="ideal", views=(View.SAX,), n_frames=10)
    prediction = Prediction(
        view=View.SAX,
        labels=made.labels[View.SAX],
        confidence=np.ones(10, np.float32),
        location=HeartLocation(centre=(0.0, 0.0), method="given"),
    )
    found = measure_study(made.study, {View.SAX: prediction})
    left, right = made.curves["lv_volume_ml"], made.curves["rv_volume_ml"]
    pairs = {
        "lv_edv_percent": ("lv_edv_ml", left.max()),
        "lv_esv_percent": ("lv_esv_ml", left.min()),
        "rv_edv_percent": ("rv_edv_ml", right.max()),
        "lv_mass_percent": ("lv_mass_g", made.truth["lv_mass_g"]),
    }
    errors = {key: 100 * ((found.value(name) or np.nan) / true - 1) for key, (name, true) in pairs.items()}
    for side, curve in (("lv", left), ("rv", right)):
        ef = 100 * (1 - curve.min() / curve.max())
        errors[f"{side}_ef_points"] = (found.value(f"{side}_ef_percent") or np.nan) - ef
    return {key: float(value) for key, value in errors.items()}


def landmarks_px(seed: int, group: str) -> dict[str, list[float]]:
    """Pixels between each landmark and its place in a label map ten times finer than the image, at ED and in mid-beat.

    A hinge point's place is the cavity's corner at the valve, the apex's depth that of the cavity in the plane, along
    the ventricle's axis.
    """
    heart, style = build_heart(draw_subject(seed, group=group)), find_style("ideal")
    frames = [heart.frame(share * heart.left_cycle.rr_interval_ms) for share in (0.0, 0.5)]
    found: dict[str, list[float]] = {"hinge": [], "apex": []}
    for view in (View.LAX_2C, View.LAX_4C):
        plane = plan_view(heart, view, style)
        marks = plane_landmarks(heart, frames, plane)
        assert marks is not None
        points = np.stack([marks.points[name] for name in LANDMARKS[view]], axis=1)
        for frame, ras in zip(frames, points, strict=True):
            first, second, apex = (np.linalg.inv(plane.affine) @ np.append(point, 1) for point in ras)
            first, second, apex = first[:2], second[:2], apex[:2]
            cavity, depth_mm = fine_cavity(heart, frame, plane, np.stack([first, second, apex]))
            across = (second - first) / np.linalg.norm(second - first)
            along = np.array([-across[1], across[0]])
            corner = (cavity[np.abs((cavity - first) @ along) < 0.3] - first) @ across
            found["hinge"] += [float(corner.min()), float(corner.max() - np.linalg.norm(second - first))]
            found["apex"].append((depth_mm.max() - float(heart.locate(ras[2:]).z[0])) / style.pixel_mm)
    return found


def fine_cavity(heart: Heart, frame: HeartFrame, plane: ImagePlane, around: Array) -> tuple[Array, Array]:
    """Voxel coordinates (n, 2) of the cavity in the plane's middle, a tenth of a pixel apart, and their depth in mm."""
    low, high = around.min(axis=0) - 12, around.max(axis=0) + 12
    i, j = (np.arange(*ends, 1 / FINER) for ends in zip(low, high, strict=True))
    ras = plane.corner(0) + i[:, None, None] * plane.affine[:3, 0] + j[None, :, None] * plane.affine[:3, 1]
    points = heart.locate(ras)
    inside = (points.z >= frame.left.base_mm) & (points.radius < frame.endo.ravel()[points.index])
    return np.argwhere(inside) / FINER + low, points.z[inside].astype(np.float64)


def summary(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each error, and the 95th percentile and the largest of its size."""
    table = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    return {
        key: {
            "mean": float(its.mean()),
            "sd": float(its.std(ddof=1)),
            "size_95th_percentile": float(np.percentile(np.abs(its), 95)),
            "worst": float(np.abs(its).max()),
        }
        for key, its in table.items()
    }


def sizes(errors: Array) -> dict[str, float]:
    """Mean and largest size of errors in pixels, and the share within half a pixel."""
    size = np.abs(errors)
    return {
        "mean_size": float(size.mean()),
        "share_within_half_a_pixel": float((size <= 0.5).mean()),
        "worst": float(size.max()),
    }


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=50)
    given = parser.parse_args()
    cases = [(100 + n, GROUPS[n % len(GROUPS)]) for n in range(given.subjects)]
    marks = [landmarks_px(*case) for case in cases]
    content = {
        "subjects": given.subjects,
        "counted_on_a_fine_grid": summary([fine(*case) for case in cases]),
        "measured_from_a_stack_of_true_masks": summary([stack(*case) for case in cases]),
        "landmarks_from_a_finer_label_map_px": {
            kind: sizes(np.concatenate([found[kind] for found in marks])) for kind in ("hinge", "apex")
        },
    }
    text = json.dumps(content, indent=1)
    print(text)
    RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
