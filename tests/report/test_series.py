"""Tables and curve of many runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cinema_cmr.report.series import bench_markdown, bench_page, curve_svg, sweep_markdown, sweep_page

METRICS: dict[str, dict[str, Any]] = {
    "dice_mean": {"title": "mean Dice", "unit": "", "digits": 3, "larger_is_better": True},
    "lv_ef_error": {"title": "LVEF, absolute error", "unit": "points", "digits": 1, "larger_is_better": False},
}


def interval(value: float | None, **more: Any) -> dict[str, Any]:
    ends = (None, None) if value is None else (value - 0.1, value + 0.1)
    return {"value": value, "low": ends[0], "high": ends[1], "n": 5, **more}


@pytest.fixture
def document() -> dict[str, Any]:
    rows = [
        {
            "n_patients": n,
            "start": start,
            "n_seeds": 3,
            "seconds": 10,
            "metrics": {"dice_mean": interval(0.5 + n / 100), "lv_ef_error": interval(None)},
        }
        for n in (4, 8)
        for start in ("<pre>", "scratch")
    ]
    gain = {"n_patients": 4, "start": "<pre>", "metrics": {name: interval(0.021, p_value=0.04) for name in METRICS}}
    return {"title": "t & t", "about": "why", "metrics": list(METRICS), "rows": rows, "gains": [gain]}


def test_the_tables_have_every_run_and_what_was_gained(document: dict[str, Any]) -> None:
    text = sweep_markdown(document, METRICS)
    assert "| 4 | scratch | 3 | 0.540 (0.440 to 0.640; 5) | - |" in text
    assert "+0.021 (-0.079 to +0.121), p 0.040" in text and "research use only" in text
    alone = sweep_markdown({**document, "gains": []}, METRICS)
    assert "Gained" not in alone


def test_the_page_needs_no_network_and_escapes_what_it_is_given(document: dict[str, Any]) -> None:
    page = sweep_page(document, METRICS)
    assert "&lt;pre&gt;" in page and "<pre>" not in page and "t &amp; t" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count("<svg") == 2
    one = {**document, "rows": document["rows"][:2]}
    assert "<svg" not in sweep_page(one, METRICS)  # one number of patients is no curve


def test_a_curve_leaves_out_what_is_not_known(document: dict[str, Any]) -> None:
    assert "scratch" in curve_svg(document, "dice_mean", METRICS["dice_mean"])
    assert "scratch" not in curve_svg(document, "lv_ef_error", METRICS["lv_ef_error"])


def test_a_benchmark_tells_what_was_not_run_and_why() -> None:
    ran = {
        "title": "Segmentation",
        "data": "acdc",
        "published": ["0.9 by X"],
        "rows": [
            {"model": "U-Net", "metrics": {"dice_mean": interval(0.9)}, "seconds": 61.0},
            {"model": "ResNet", "metrics": {}, "seconds": 0.0, "reason": "no MONAI"},
        ],
    }
    missing = {"title": "Scar", "data": "emidec", "rows": [], "reason": "no --data emidec:FOLDER was given"}
    document = {"title": "Benchmark", "about": "a", "tasks": [ran, missing]}
    text = bench_markdown(document, METRICS)
    assert "| U-Net | 0.900 (0.800 to 1.000; 5) | 61 s |" in text and "| ResNet | - | no MONAI |" in text
    assert "LVEF" not in text and "Not run: no --data emidec:FOLDER" in text and "Published: 0.9 by X" in text
    page = bench_page(document, METRICS)
    assert "0.900 (0.800 to 1.000; 5)" in page and "Not run" in page
