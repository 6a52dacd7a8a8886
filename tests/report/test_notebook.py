"""What a notebook shows of a cine, a study and measurements; nothing of the input is markup."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import cinema_cmr as cmr
from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.notebook import cine_html, cine_png, columns_html, measurements_html, study_html
from cinema_cmr.report.wide.columns import Columns


def picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def test_a_stack_is_a_mosaic_of_slices_at_two_frames(analysis: Analysis) -> None:
    cine = analysis.study.cine(View.SAX)
    shown = picture(cine_png(cine))
    n_across = min(cine.n_slices, 6)
    side = 128 * min(cine.shape[0] / cine.shape[1], 1)  # square voxels: the longest side has 128 pixels
    assert shown.width == pytest.approx(4 + n_across * (side + 4), abs=n_across)
    assert shown.height == pytest.approx(4 + 2 * (128 + 4 + 16), abs=2)
    assert np.asarray(shown).std() > 10


def test_a_plane_is_a_row_of_frames(analysis: Analysis) -> None:
    shown = picture(cine_png(analysis.study.cine(View.LAX_4C)))
    assert shown.width > 4 * shown.height


def test_html_escapes_what_the_input_holds(analysis: Analysis) -> None:
    cine = replace(analysis.study.cine(View.SAX), label="<script>")
    assert "<script>" not in cine_html(cine) and "&lt;script&gt;" in cine_html(cine)
    study = replace(analysis.study, name="<b>x", cines=(cine,))
    assert "&lt;b&gt;x" in study_html(study) and study_html(study).count("<img ") == 1


def test_measurements_are_a_table_with_reasons(measurements: Measurements) -> None:
    text = measurements_html(measurements)
    assert "<td>lv_ef_percent</td><td>40.0</td><td>%</td>" in text
    assert "<td>–</td><td></td><td>not known</td>" in text and "not a medical device" in text.lower()
    assert text.count("<tr>") == 1 + sum("aha" not in name for name in measurements)


def test_public_types_show_themselves(analysis: Analysis) -> None:
    assert cmr.Cine is type(analysis.study.cine(View.SAX))
    cine = analysis.study.cine(View.SAX)
    assert cine._repr_png_() == cine_png(cine) and "<figure>" in cine._repr_html_()  # type: ignore[attr-defined]
    assert "<figure>" in analysis.study._repr_html_()  # type: ignore[attr-defined]
    assert "<table>" in analysis.measurements._repr_html_()  # type: ignore[attr-defined]


def test_a_table_shows_its_first_rows_and_says_how_many_it_has() -> None:
    table = Columns()
    for number in range(30):
        table.append({"study": f"<p{number}>", "lv_ef_percent": 50.123456 + number, "flags": None})
    shown = columns_html(table)
    assert shown.count("<tr>") == 13 and "&lt;p0&gt;" in shown and "<td>50.123</td>" in shown
    assert "30 rows, 3 columns" in shown and table._repr_html_() == shown
