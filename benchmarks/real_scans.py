"""How near the whole arrow comes to experts on real scans, from the files alone, nothing cropped by a label.

`python benchmarks/real_scans.py --data FOLDER [--model cinema-sax] [--tta 1]` where FOLDER holds `acdc/`,
`sunnybrook/` and `multiview_dicom/`; parts that are absent are left out and said so. Prints a summary and stores
benchmarks/results/real_scans_MODEL.json. For research use only; not a medical device.

- ACDC: the 20 validation patients of our fixed split, each ED and ES frame alone, on its native grid.
- Sunnybrook: full-cycle DICOM; the left ventricle in the slices and frames that an expert drew.
- Multi-view: one volunteer; volumes beside those of contours that another program made: a plausibility check.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import View
from cinema_cmr.datasets.registry import DATASETS
from cinema_cmr.evaluation.evaluate import evaluate
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.score.overlap import dice_by_slice

RESULTS = Path(__file__).parent / "results"
LV, MYO = 3, 2


def acdc(root: Path, segmenter: Any) -> dict[str, Any]:
    """Overlap, volumes and EF of the validation patients."""
    dataset = DATASETS["acdc"]
    assert dataset.split is not None
    split = dataset.split()
    patients = split["validation"]
    cases = [case for case in dataset.list_cases(root) if case.patient in patients]
    studies = (dataset.read_case(case) for case in cases)
    record = evaluate(segmenter.loaded, studies, segmenter.runtime).evaluation
    lines = [
        {
            "patient": result.patient,
            "group": result.facts["group"],
            **{name: value for name, value in result.scores.items() if name.startswith("dice")},
        }
        for result in record.results
    ]
    return {"split_sha256": split.sha256, **vars(record.summary), "patients": lines}


def sunnybrook(root: Path, analyzer: Analyzer) -> list[dict[str, Any]]:
    """Of each patient: LV Dice over all drawn slices, the worst slice, and EF of both."""
    dataset, rows = DATASETS["sunnybrook"], []
    for case in dataset.list_cases(root):
        annotated = dataset.read_case(case)
        truth = annotated.labels[View.SAX].array
        analysis = analyzer.analyse(annotated.study)
        found = analysis.predictions[View.SAX].labels.array
        frames = annotated.labelled_frames[View.SAX]
        slices = [dice_by_slice(found[..., t] == LV, truth[..., t] == LV) for t in frames]
        drawn = [(truth[..., t] == LV).any(axis=(0, 1)) for t in frames]
        both = [
            (found[..., t][:, :, d] == LV, truth[..., t][:, :, d] == LV) for t, d in zip(frames, drawn, strict=True)
        ]
        drawn_ml = [
            float((truth[..., t] == LV).sum(axis=(0, 1)) @ annotated.study.cine(View.SAX).voxel_volumes_ml)
            for t in frames
        ]
        ef = 100 * (1 - min(drawn_ml) / max(drawn_ml))
        measured = analysis.measurements.value("lv_ef_percent")
        rows.append(
            {
                "patient": case.name,
                "lv_dice": [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in both],
                "lv_dice_mean_slice": [float(np.mean(s[d])) for s, d in zip(slices, drawn, strict=True)],
                "worst_slice_dice": float(min(s[d].min() for s, d in zip(slices, drawn, strict=True))),
                "slices_at_zero": int(sum((s[d] == 0).sum() for s, d in zip(slices, drawn, strict=True))),
                "lv_ef_percent": measured,
                "lv_ef_drawn_percent": ef,
                "lv_edv_ml": analysis.measurements.value("lv_edv_ml"),
                "lv_edv_drawn_ml": max(drawn_ml),
                "flags": [flag.code for flag in analysis.measurements.flags],
            }
        )
    return rows


def multiview(root: Path, analyzer: Analyzer) -> dict[str, Any]:
    """Views, and LV volumes over the cycle beside those of the other program's contours."""
    analysis = analyzer.analyse(root / "study")
    study = analysis.study
    step_mm = float(study.cine(View.SAX).spacing_mm[2])
    files = sorted((root / "reference").glob("GPFile_*.txt"))
    drawn = {kind: np.array([volume_ml(file, kind, step_mm) for file in files]) for kind in ("ENDO", "EPI")}
    measured = analysis.measurements.curves["lv_volume_ml"]
    value = analysis.measurements.value
    ed = int(np.argmax(drawn["ENDO"]))
    return {
        "input_sha256": input_digest(root / "study"),
        "views": {d.series: {"view": d.view, "kept": d.kept} for d in study.decisions},
        "lv_edv_ml": [value("lv_edv_ml"), float(drawn["ENDO"].max())],
        "lv_esv_ml": [value("lv_esv_ml"), float(drawn["ENDO"].min())],
        "lv_ef_percent": [value("lv_ef_percent"), 100 * float(1 - drawn["ENDO"].min() / drawn["ENDO"].max())],
        "lv_mass_g": [value("lv_mass_g"), 1.05 * float(drawn["EPI"][ed] - drawn["ENDO"][ed])],
        "curve_ml": measured,
        "curve_drawn_ml": drawn["ENDO"],
        "curve_correlation": float(np.corrcoef(measured, drawn["ENDO"])[0, 1]),
        "curve_mean_difference_ml": float(np.mean(measured - drawn["ENDO"])),
        "rv_ef_percent": value("rv_ef_percent"),
        "flags": [flag.code for flag in analysis.measurements.flags],
    }


def volume_ml(file: Path, kind: str, step_mm: float) -> float:
    """Sum over the short-axis slices of a contour file of the area inside of the LV's contours, times the step."""
    slices = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines()[1:]:
        x, y, z, contour, plane, *_ = line.split("\t")
        if contour == f"SAX_LV_{kind}CARDIAL":
            slices[plane].append((float(x), float(y), float(z)))
    return sum(area_mm2(np.array(points)) for points in slices.values()) * step_mm / 1000


def area_mm2(points: np.ndarray) -> float:
    """Area of a contour that is a star about its middle, of points in any order in one plane."""
    offset = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(offset, full_matrices=False)
    x, y = offset @ axes[0], offset @ axes[1]
    order = np.argsort(np.arctan2(y, x))
    x, y = x[order], y[order]
    return 0.5 * abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="cinema-sax")
    parser.add_argument("--tta", type=int, default=1)
    given = parser.parse_args()
    analyzer = Analyzer(Options.of(model=given.model, tta=given.tta))
    segmenter = analyzer.segmenter
    content: dict[str, Any] = {
        "model": segmenter.card.name,
        "weights_sha256": segmenter.card.weights_sha256,
        "tta": given.tta,
    }
    parts = {
        "acdc": lambda root: acdc(root, segmenter),
        "sunnybrook": lambda root: sunnybrook(root, analyzer),
        "multiview_dicom": lambda root: multiview(root, analyzer),
    }
    for name, part in parts.items():
        if (given.data / name).is_dir():
            content[name] = part(given.data / name)
            print(name, json.dumps(json.loads(json_text(content[name])), indent=1)[:4000], flush=True)
        else:
            print(f"{name}: not in the data folder, left out")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"real_scans_{segmenter.card.name}{'' if given.tta == 1 else f'_tta{given.tta}'}.json"
    path.write_text(json_text(content), encoding="utf-8")


if __name__ == "__main__":
    main()
