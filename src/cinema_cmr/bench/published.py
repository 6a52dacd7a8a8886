"""Published numbers of the tasks, each with its source, to stand beside ours. They are of other data or splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PUBLISHED", "Published", "beside", "published_texts"]

_PAPER = "CineMA, arXiv 2506.00679"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published number."""

    metric: str
    """A name of `engine.patient_values.METRICS`."""
    what: str
    value: str
    model: str
    trial: str
    """On which data, in which split."""
    source: str


PUBLISHED = (
    Published(
        metric="dice_mean",
        what="mean Dice",
        value="0.8872",
        model="CineMA",
        trial="several datasets",
        source="Communications Medicine 2026, doi 10.1038/s43856-026-01636-0",
    ),
    Published(
        metric="dice_mean",
        what="mean Dice",
        value="0.8924",
        model="nnU-Net",
        trial="several datasets",
        source="Communications Medicine 2026, doi 10.1038/s43856-026-01636-0",
    ),
    Published(
        metric="dice_mean",
        what="mean Dice",
        value="0.9154",
        model="nnU-Net",
        trial="ACDC, five folds of the training set",
        source="Isensee et al., MICCAI 2024, arXiv 2404.09556",
    ),
    Published(
        metric="dice_mean",
        what="mean Dice",
        value="0.9265",
        model="MedNeXt",
        trial="ACDC, five folds of the training set",
        source="Isensee et al., MICCAI 2024, arXiv 2404.09556",
    ),
    Published(
        metric="lv_ef_error",
        what="LVEF, absolute error",
        value="3.33 (2.88 to 3.82)",
        model="CineMA",
        trial="from segmentation",
        source=_PAPER,
    ),
    Published(
        metric="lv_ef_error",
        what="LVEF, absolute error",
        value="3.63",
        model="CNN",
        trial="from segmentation",
        source=_PAPER,
    ),
    Published(
        metric="rv_ef_error",
        what="RVEF, absolute error",
        value="5.49 (4.74 to 6.55)",
        model="CineMA",
        trial="from segmentation",
        source=_PAPER,
    ),
    Published(
        metric="rv_ef_error",
        what="RVEF, absolute error",
        value="6.28",
        model="CNN",
        trial="from segmentation",
        source=_PAPER,
    ),
    Published(
        metric="distance",
        what="distance of landmarks, mm",
        value="2 to 3.5",
        model="CNN",
        trial="several long-axis views",
        source="Xue et al., Radiology: Artificial Intelligence 2021;3:e200197",
    ),
    Published(
        metric="right",
        what="five groups, share right",
        value="0.96",
        model="the challenge's best",
        trial="ACDC test set",
        source="Bernard et al., IEEE TMI 2018;37:2514",
    ),
)

_OF_SUMMARY = {
    "dice_mean": ("scores", "dice_mean", 3),
    "lv_ef_error": ("measurements", "lv_ef_percent", 2),
    "rv_ef_error": ("measurements", "rv_ef_percent", 2),
}


def beside(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows for an evaluation of cine segmentation (`engine.evaluate_document` in plain values): here and published.

    Empty for an evaluation of anything else, of which nothing comparable is in the table.
    """
    if "dice_rv" not in document["scores"]:
        return []
    rows = []
    for one in PUBLISHED:
        place = _OF_SUMMARY.get(one.metric)
        known = document[place[0]].get(place[1]) if place else None
        row = known["mean_absolute_error"] if known and place and place[0] == "measurements" else known
        if row is None or row["value"] is None or place is None:
            continue
        ours = f"{row['value']:.{place[2]}f}"
        rows.append(
            {
                "what": one.what,
                "ours": ours,
                "published": one.value,
                "model": one.model,
                "trial": one.trial,
                "source": one.source,
            }
        )
    return rows


def published_texts(metrics: Mapping[str, Any], *, task: str) -> list[str]:
    """The published numbers of these metrics in words; of classes only for the task "disease"."""
    chosen = [one for one in PUBLISHED if one.metric in metrics and (one.metric != "right" or task == "disease")]
    return [f"{one.what} {one.value} by {one.model} ({one.trial}; {one.source})" for one in chosen]
