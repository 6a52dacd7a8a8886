"""Cases of `bench.robustness` by change: means with intervals over patients, as plain values and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cinema_cmr.bench.perturb import PERTURBATIONS
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import CINE_LABELS
from cinema_cmr.score.statistics import mean_interval

__all__ = ["STRUCTURES", "case_dice", "ef_error", "markdown", "summary"]

STRUCTURES = tuple(label.name for label in CINE_LABELS)

CaseLine = Mapping[str, Any]

_COLUMNS = (
    ("dice_lv", "LV", 3),
    ("dice_myo", "MYO", 3),
    ("dice_rv", "RV", 3),
    ("dice_mean", "mean Dice", 3),
    ("lv_ef_error", "LVEF error", 1),
    ("rv_ef_error", "RVEF error", 1),
    ("flagged", "flagged", 2),
)


def case_dice(case: CaseLine, structure: str | None = None) -> float:
    """Mean over frames of a structure's Dice, or of all structures'; structures absent from both masks are left out."""
    names = STRUCTURES if structure is None else (structure,)
    values = [frame[name] for frame in case["dice"] for name in names if frame[name] is not None]
    return float(np.mean(values)) if values else float("nan")


def ef_error(case: CaseLine, ventricle: str) -> float:
    """Measured EF minus the expert's in points; NaN where one of them is missing."""
    name = f"{ventricle}_ef_percent"
    measured, reference = case["measured"][name], case["reference"][name]
    return float("nan") if measured is None or reference is None else float(measured - reference)


def summary(cases: Sequence[CaseLine], *, seed: int = 0) -> dict[str, Any]:
    """Of every change in the validation part, and of every phantom style: means with intervals over patients."""
    shown = [case for case in cases if case["part"] != "train"]
    if not shown:
        raise InputError("no measured case; expected lines of `benchmarks/robustness.py`")
    models = sorted({(case["model"], case.get("inference_settings", "tta 1")) for case in shown})
    if len(models) > 1:
        raise InputError(
            f"cases of {len(models)} models, or of one with other inference settings; expected those of one:"
            " move the others' lines away"
        )
    order = [*PERTURBATIONS, *sorted({case["change"] for case in shown} - set(PERTURBATIONS))]
    groups = {change: [case for case in shown if case["change"] == change] for change in order}
    return {
        "weights_sha256": models[0][0],
        "inference_settings": models[0][1],
        "changes": {change: _row(change, its, seed) for change, its in groups.items() if its},
    }


def _row(change: str, cases: Sequence[CaseLine], seed: int) -> dict[str, Any]:
    values: dict[str, list[float]] = {f"dice_{name}": [case_dice(case, name) for case in cases] for name in STRUCTURES}
    values["dice_mean"] = [case_dice(case) for case in cases]
    for ventricle in ("lv", "rv"):
        values[f"{ventricle}_ef_error"] = [abs(ef_error(case, ventricle)) for case in cases]
    values["flagged"] = [float(bool(case["flags"])) for case in cases]
    title = PERTURBATIONS[change].title if change in PERTURBATIONS else f"phantom, {change}"
    return {"title": title, "n": len(cases), **{name: _mean(its, seed) for name, its in values.items()}}


def _mean(values: Iterable[float], seed: int) -> dict[str, float | int]:
    found = mean_interval(list(values), seed=seed)
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def markdown(content: Mapping[str, Any]) -> str:
    """The table of a summary, read back from JSON or not; the mean's interval beside it."""
    heads = ["change", "n", *(title for _, title, _ in _COLUMNS)]
    rows = [heads, ["---"] * len(heads)]
    for row in content["changes"].values():
        cells = [_cell(row[name], digits, interval=name == "dice_mean") for name, _, digits in _COLUMNS]
        rows.append([row["title"], str(row["n"]), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(mean: Mapping[str, float | None], digits: int, *, interval: bool) -> str:
    value, low, high = mean["value"], mean["low"], mean["high"]
    if value is None or np.isnan(value):
        return "-"
    text = f"{value:.{digits}f}"
    return text if not interval or low is None or high is None else f"{text} ({low:.{digits}f} to {high:.{digits}f})"
