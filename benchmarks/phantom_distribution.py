"""Volumes, EF, mass and wall thickness of phantom hearts beside published normal ranges.

`python benchmarks/phantom_distribution.py [--subjects 500]` draws three fifths of them as normal and the rest from the
four diseases, from their anatomy alone, and writes docs/pictures/phantom_distribution.png and
benchmarks/results/phantom_distribution.json. Bands are the 95 % normal intervals of `measure/normal_ranges.py` for the
sex at 50 years; wall thickness has none there.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from cinema_cmr.measure.normal_ranges import normal_range
from cinema_cmr.phantom.anatomy.heart import build_heart
from cinema_cmr.phantom.subject import draw_subject
from cinema_cmr.phantom.truth import ground_truth

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "phantom_distribution.png"
RESULTS = ROOT / "benchmarks" / "results" / "phantom_distribution.json"
NAMES = {
    "lv_edv_ml": "LV EDV, ml",
    "lv_esv_ml": "LV ESV, ml",
    "lv_ef_percent": "LV EF, %",
    "lv_mass_g": "LV mass, g",
    "rv_edv_ml": "RV EDV, ml",
    "rv_ef_percent": "RV EF, %",
    "wall_thickness_ed_max_mm": "thickest segment at ED, mm",
}
DISEASES = ("DCM", "HCM", "MINF", "RV")
COLUMNS = ("NOR F", "NOR M", *DISEASES)


def drawn(n_subjects: int) -> dict[str, list[dict[str, float]]]:
    """Column of the figure -> the truth of its subjects."""
    n_normal = n_subjects * 3 // 5
    found = defaultdict(list)
    for seed in range(n_subjects):
        group = "NOR" if seed < n_normal else DISEASES[seed % len(DISEASES)]
        subject = draw_subject(seed, group=group)
        column = f"NOR {subject.sex}" if group == "NOR" else group
        found[column].append(ground_truth(build_heart(subject)))
    return found


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, object]]:
    """Mean, SD, and for normals the published limits and the share inside of them."""
    rows: dict[str, dict[str, object]] = {}
    for column, truths in found.items():
        row: dict[str, object] = {"n": len(truths)}
        for name in NAMES:
            values = np.array([truth[name] for truth in truths])
            row[name] = {"mean": round(float(values.mean()), 1), "sd": round(float(values.std(ddof=1)), 1)}
            limits = normal_range(name, "F" if column == "NOR F" else "M", 50.0) if column.startswith("NOR") else None
            if limits is not None:
                inside = ((values >= limits.lower) & (values <= limits.upper)).mean()
                row[name] |= {"normal": [limits.lower, limits.upper], "share_inside": round(float(inside), 3)}  # type: ignore[operator]
        rows[column] = row
    return rows


def draw(found: dict[str, list[dict[str, float]]]) -> None:
    """One panel a measurement: boxes by group, normal limits behind those of the normals."""
    figure, panels = plt.subplots(2, 4, figsize=(13, 6.2), layout="constrained")
    for axis, (name, title) in zip(panels.flat, NAMES.items(), strict=False):
        for place, sex in enumerate(("F", "M"), 1):
            limits = normal_range(name, sex, 50.0)  # type: ignore[arg-type]
            if limits is not None:
                axis.fill_between([place - 0.42, place + 0.42], limits.lower, limits.upper, color="#86efac", alpha=0.6)
        columns = [column for column in COLUMNS if found[column]]
        axis.boxplot([[truth[name] for truth in found[column]] for column in columns], widths=0.5, sym=".")
        axis.set_xticks(range(1, len(columns) + 1), columns, fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    panels.flat[-1].axis("off")
    panels.flat[-1].text(0, 0.6, "boxes: phantoms\ngreen: published\n95 % normal interval", fontsize=10)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=80)


def main() -> None:
    """Draw the subjects, the figure and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=500)
    given = parser.parse_args()
    found = drawn(given.subjects)
    rows = summary(found)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    draw(found)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
