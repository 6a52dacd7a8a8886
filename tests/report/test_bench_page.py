"""The benchmark's tables: results with intervals and differences, and why rows are missing."""

from __future__ import annotations

import csv
from typing import Any

from cinema_cmr.report.bench_page import bench_csv, bench_markdown, bench_page

MEAN = {"value": 2.0, "low": 1.0, "high": 3.0, "method": "BCa", "n": 6, "n_excluded": 0}


def row(model: str, **more: Any) -> dict[str, Any]:
    return {
        "task": "lvef",
        "title": "LVEF <regressed>",
        "group": "ejection fraction",
        "dataset": "lab",
        "model": model,
        "shown": "difference",
        "measure_titles": {
            "difference": {"title": "absolute error", "unit": "points", "digits": 1},
            "blind": {"title": "error of the mean", "unit": "points", "digits": 1},
        },
        **more,
    }


def document() -> dict[str, Any]:
    done = {"status": "done", "reason": "", "n_seeds": 3, "n_train_patients": [24], "n_steps": [100], "seconds": 90.0}
    measures = {"difference": MEAN, "blind": {**MEAN, "value": 4.0}}
    difference = {**MEAN, "value": -1.5, "low": None, "high": 0.5, "p_value": 0.02, "p_holm": 0.04}
    published = {
        "what": "LVEF",
        "text": "3.33 points",
        "model": "CineMA",
        "patients": "its patients",
        "source": "arXiv",
    }
    return {
        "settings": ["Data: lab."],
        "rows": [
            row("cinema-scratch", **done, measures=measures),
            row("resnet", **done, measures=measures, against="cinema-scratch", difference=difference),
            row("cinema", status="no data", reason="no pre-training was given"),
            {**row("", status="no data", reason="0 patients"), "dataset": ""},
        ],
        "published": [published],
    }


def test_markdown_has_results_differences_reasons_and_published_numbers() -> None:
    text = bench_markdown(document())
    assert (
        "| LVEF \\<regressed> | lab | cinema-scratch, 3 seeds | absolute error, points | 2.0 (1.0 to 3.0; 6) |  |"
        in text
    )
    assert "-1.5 (- to +0.5) to cinema-scratch | 0.040 | 24 | 100 | 1.5 |" in text
    assert "| LVEF \\<regressed> | lab | resnet | error of the mean, points | 4.0 (1.0 to 3.0; 6) |" in text
    assert "| LVEF \\<regressed> | - | all | no data | 0 patients |" in text
    assert "| LVEF | 3.33 points | CineMA | its patients | arXiv |" in text
    assert "Not a medical device" in text and "Data: lab." in text


def test_patients_that_could_not_be_measured_are_counted() -> None:
    content = document()
    content["rows"][0]["measures"]["difference"] = {**MEAN, "value": None, "n": 0, "n_excluded": 6}
    assert "| -, 6 not measured |" in bench_markdown(content)


def test_csv_has_a_line_a_measure_and_one_for_what_is_missing() -> None:
    lines = list(csv.DictReader(bench_csv(document()).splitlines()))
    assert [line["measure"] for line in lines] == ["difference", "blind"] * 2 + ["", ""]
    assert lines[2]["against"] == "cinema-scratch" and float(lines[2]["p_holm"]) == 0.04
    assert lines[3]["against"] == "" and lines[4]["reason"] == "no pre-training was given"


def test_the_page_escapes_and_needs_no_network() -> None:
    page = bench_page(document())
    assert "LVEF &lt;regressed&gt;" in page and "://" not in page
    assert page.count("<table") == 4 and 'id="left-out"' in page
