"""The page of what `cinema-sax` was measured to do, and few labels buy, written from stored results alone.

`python benchmarks/study.py` reads benchmarks/results/real_scans_cinema-sax.json (`benchmarks/real_scans.py`),
robustness_cases.jsonl (`benchmarks/robustness.py`), sweep_*.json (`sweep.json` of `cinema sweep`, copied there) and
bench_*.json (`bench.json` of `cinema bench`, likewise);
it writes docs/study.md, docs/pictures/sweep_*.svg and benchmarks/results/study.json. What is absent is left out.

Confidence: the number that the report shows for a frame, the mean probability in its labels, beside that frame's true
mean Dice, over all validation cases and changes. Flags: a case fails where its mean Dice is below 0.85 or its LVEF or
RVEF is more than ten points off. For research use only; not a medical device.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cinema_cmr.bench.changed_case import ChangedCase
from cinema_cmr.bench.robustness_table import STRUCTURES, case_dice, ef_error, markdown, summary
from cinema_cmr.core.serialise import from_result, json_text
from cinema_cmr.io.atomic import write_text
from cinema_cmr.models.cards import embedded_folder, read_card
from cinema_cmr.report.bench.bench_page import NOTE as BENCH_NOTE
from cinema_cmr.report.bench.bench_page import bench_tables
from cinema_cmr.report.bench.bench_results import BenchResults, SweepResults
from cinema_cmr.report.bench.sweep_page import NOTE, curve_svg, standalone_svg, sweep_tables
from cinema_cmr.report.markdown import markdown_table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "study.md"
BOUNDS = (0.0, 0.88, 0.91, 0.93, 0.95, 0.97, 1.0)
LEAST_DICE, MOST_POINTS = 0.85, 10.0


def read_case(line: str) -> ChangedCase:
    """Lines of before the settings were recorded are of one way to ask."""
    return from_result(ChangedCase, {"inference_settings": "turns 1, no offset", **json.loads(line)}, "case")


def frame_dice(frame: Mapping[str, float]) -> float:
    """Mean over the structures that somebody drew or found."""
    values = [frame[name] for name in STRUCTURES if np.isfinite(frame[name])]
    return float(np.mean(values)) if values else float("nan")


def calibration(cases: Sequence[ChangedCase]) -> dict[str, Any]:
    """Confidence beside true Dice, frame by frame: rank correlation, and means by bins of confidence."""
    pairs = np.array([(c, frame_dice(f)) for case in cases for c, f in zip(case.confidence, case.dice, strict=True)])
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    ranks = np.argsort(np.argsort(pairs, axis=0), axis=0)
    bins = []
    for low, high in pairwise(BOUNDS):
        here = pairs[(pairs[:, 0] >= low) & (pairs[:, 0] < high)]
        if len(here):
            below = float((here[:, 1] < LEAST_DICE).mean())
            bins.append({"from": low, "to": high, "n": len(here), "dice": float(here[:, 1].mean()), "below": below})
    return {"n": len(pairs), "rank_correlation": float(np.corrcoef(ranks.T)[0, 1]), "bins": bins}


def as_flagged_now(case: ChangedCase, least: float) -> ChangedCase:
    """The case with the flag `low-confidence` as the model's card has its threshold now; others as they were raised."""
    known = [value for value in case.confidence if np.isfinite(value)]
    others = tuple(flag for flag in case.flags if flag != "low-confidence")
    return replace(case, flags=others + ("low-confidence",) * bool(known and min(known) < least))


def has_failed(case: ChangedCase) -> bool:
    """Whether its masks or an EF are far off; an EF that was not given has not failed in silence."""
    errors = [abs(ef_error(case, ventricle)) for ventricle in ("lv", "rv")]
    return case_dice(case) < LEAST_DICE or any(error > MOST_POINTS for error in errors)


def flags(cases: Sequence[ChangedCase]) -> dict[str, Any]:
    """How many failed cases a flag tells of, and how many others it is raised in; by flag too."""
    failed, good = [c for c in cases if has_failed(c)], [c for c in cases if not has_failed(c)]
    counts = {name: Counter(flag for case in its for flag in case.flags) for name, its in (("f", failed), ("g", good))}
    codes = sorted({*counts["f"], *counts["g"]}, key=lambda code: (-counts["f"][code], code))
    return {
        "failed": len(failed),
        "failed_and_flagged": sum(bool(case.flags) for case in failed),
        "good": len(good),
        "good_and_flagged": sum(bool(case.flags) for case in good),
        "by_flag": {code: {"failed": counts["f"][code], "good": counts["g"][code]} for code in codes},
        "silent": Counter(case.change for case in failed if not case.flags),
    }


def interval(value: Mapping[str, float], digits: int = 3) -> str:
    return f"{value['value']:.{digits}f} ({value['low']:.{digits}f} to {value['high']:.{digits}f}, n {value['n']})"


def scans_part(scans: Mapping[str, Any]) -> str:
    scores, measured = scans["acdc"]["scores"], scans["acdc"]["measurements"]
    rows = [f"| Dice {name} | {interval(scores[f'dice_{name}'])} |" for name in ("mean", *STRUCTURES)]
    rows += [f"| surface distance {name}, mm | {interval(scores[f'assd_{name}_mm'], 2)} |" for name in STRUCTURES]
    rows += [f"| worst slice, Dice {name} | {interval(scores[f'worst_slice_dice_{name}'])} |" for name in STRUCTURES]
    for name in ("lv_ef_percent", "rv_ef_percent", "lv_edv_ml", "rv_edv_ml", "lv_mass_g"):
        one = measured[name]
        low, high = one["limits"]
        text = f"{interval(one['mean_absolute_error'], 1)}; bias {one['bias']:+.1f}, limits {low:+.1f} to {high:+.1f}"
        rows.append(f"| {name}, absolute error | {text}, ICC {one['icc']:.3f} |")
    others = [
        f"| {p['patient']} | {p['lv_dice'][0]:.3f}, {p['lv_dice'][1]:.3f} | {p['worst_slice_dice']:.2f} |"
        f" {p['lv_ef_percent']:.1f} | {p['lv_ef_drawn_percent']:.1f} |"
        for p in scans.get("sunnybrook", [])
    ]
    return "\n".join(
        [
            "## ACDC, 20 validation patients\n",
            "ED and ES each alone, native grid, the heart found from the image (`python"
            " benchmarks/real_scans.py --data FOLDER`). The weights saw none of these patients; six choices were made"
            " with them in view: these weights in place of those of the model before, one network in place of the"
            " former pair, an offset of the LV's logit (0.4 with the pair, 1.2 since 0.6.0), the basal rule of 40 % of"
            " the rim instead of half (with the pair, and kept), and a confidence of 0.91 below which a flag was"
            " raised, from which today's limit began.\n",
            "| | mean (95 % BCa interval over patients) |\n|---|---|",
            *rows,
            "\n## Sunnybrook, never trained on\n",
            "The first of these patients was in view when the basal rule was set.\n",
            "| patient | LV Dice ED, ES | worst slice | LVEF | drawn |\n|---|---|---|---|---|",
            *others,
        ]
    )


def cases_part(cases: Sequence[ChangedCase]) -> tuple[str, dict[str, Any]]:
    found, flagged = calibration(cases), flags(cases)
    bins = [
        f"| {b['from']:.2f} to {b['to']:.2f} | {b['n']} | {b['dice']:.3f} | {b['below']:.0%} |" for b in found["bins"]
    ]
    by = [f"| `{code}` | {n['failed']} | {n['good']} |" for code, n in flagged["by_flag"].items()]
    manners = ", ".join(
        f"{settings.replace('turns', 'tta')} ({n})"  # the former name, in stored results
        for settings, n in Counter(case.inference_settings for case in cases).items()
    )
    silent = ", ".join(f"{change} {n}" for change, n in flagged["silent"].most_common()) or "none"
    hashes = sorted({case.model for case in cases})
    same = hashes == [read_card(embedded_folder("cinema-sax")).weights_sha256]
    model = "`cinema-sax`" if same else f"a former `cinema-sax` ({', '.join(one[:12] for one in hashes)})"
    text = "\n".join(
        [
            "## Other scanners, operators and files\n",
            "The same frames after one change each, ED and ES together as one cine (`python benchmarks/robustness.py"
            ' --data acdc:ROOT`); "flagged" is the share of patients with a warning or an error. '
            f"Inference settings, and cases: {manners}. The model is {model}; the patients are those of the table"
            " above, with which the LV's offset and the basal rule were chosen.\n",
            markdown(summary(cases)),
            "\n## Does the report's confidence tell?\n",
            f"Of {found['n']} frames of the cases above; rank correlation of confidence and Dice"
            f" {found['rank_correlation']:.2f}.\n",
            f"| confidence | frames | true mean Dice | below {LEAST_DICE} |\n|---|---|---|---|",
            *bins,
            "\n## Which flag tells of which failure?\n",
            f"Failed: mean Dice below {LEAST_DICE}, or an EF more than {MOST_POINTS:.0f} points off."
            f" {flagged['failed_and_flagged']} of {flagged['failed']} failed cases are flagged, and"
            f" {flagged['good_and_flagged']} of {flagged['good']} others (`low-confidence` by the threshold that the"
            f" card has now). Failed without a flag, by change:"
            f" {silent}.\n",
            "| flag | failed cases | others |\n|---|---|---|",
            *by,
        ]
    )
    return text, {"calibration": found, "flags": flagged}


def sweep_part(path: Path) -> str:
    """One data-efficiency curve: what it was made of, its figure beside the page, its tables."""
    results = from_result(SweepResults, json.loads(path.read_text(encoding="utf-8")), path.name)
    picture = PAGE.parent / "pictures" / f"{path.stem}.svg"
    write_text(picture, standalone_svg(curve_svg(results)), overwrite=True)
    title = f"{results.title}: how many patients are enough"
    tables = [f"### {name}\n\n{markdown_table(table)}" for name, table in sweep_tables(results).items()]
    figure = f"![{results.measure.title} over the number of patients](pictures/{picture.name})"
    return "\n\n".join([f"## {title}", " ".join(results.settings), NOTE, figure, *tables])


CHOSEN = (
    "That held-out patients chose nothing holds for the models trained here, not for the rows `shipped`: offsets, basal"
    " rule and disease features of what is in the package were chosen with patients of these parts in view."
)


def bench_part(path: Path) -> str:
    """One run of the benchmark: what it was made of, its tables, and what was chosen with its patients in view."""
    results = from_result(BenchResults, json.loads(path.read_text(encoding="utf-8")), path.name)
    tables = [f"### {name}\n\n{markdown_table(table)}" for name, table in bench_tables(results).items()]
    datasets = ", ".join(dict.fromkeys(row.dataset for row in results.rows if row.dataset))
    return "\n\n".join([f"## The benchmark on {datasets}", " ".join(results.settings), BENCH_NOTE, CHOSEN, *tables])


def main() -> None:
    """Read, write the page and the numbers."""
    parts, content = [], {}
    scans, lines = RESULTS / "real_scans_cinema-sax.json", RESULTS / "robustness_cases.jsonl"
    if scans.exists():
        parts.append(scans_part(json.loads(scans.read_text(encoding="utf-8"))))
    if lines.exists():
        cases = [read_case(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        least = read_card(embedded_folder("cinema-sax")).least_confidence
        text, content = cases_part([as_flagged_now(case, least) for case in cases if case.part == "validation"])
        parts.append(text)
    parts += [sweep_part(path) for path in sorted(RESULTS.glob("sweep_*.json"))]
    parts += [bench_part(path) for path in sorted(RESULTS.glob("bench_*.json"))]
    missing = [path.name for path in (scans, lines) if not path.exists()]
    head = (
        "# What `cinema-sax` was measured to do, and what few labels buy\n\n"
        "For research use only; not a medical device. Written by `python"
        " benchmarks/study.py` from stored results; the experiments behind it stand in [LOG.md](../LOG.md), the page of"
        " scar in [scar.md](scar.md)."
    )
    absent = f"Not measured here: {', '.join(missing)}." if missing else ""
    write_text(PAGE, "\n\n".join(filter(None, [head, *parts, absent])) + "\n", overwrite=True)
    write_text(RESULTS / "study.json", json_text(content), overwrite=True)
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
