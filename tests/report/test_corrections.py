"""Corrections in words, and the values before and after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.edits import EditedSlice, Edits, EditStep, MaskEdit, RuleChange
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.corrections import changed_values, correction_lines
from cinema_cmr.report.html import report_html
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.record.study_record import StudyRecord


def corrected(analysis: Analysis, **values: float | None) -> Analysis:
    """The analysis, corrected in two frames; `values` are those of the model's run that differ."""
    own = {one.name: one.value for one in analysis.measurements.measured}
    mask = MaskEdit(
        view=View.SAX,
        frames=(0, 4),
        slices=(EditedSlice(frame=0, slice=2, voxels=7), EditedSlice(frame=4, slice=3, voxels=5)),
        model_mask="segmentation/original/sax.nii.gz",
        model_mask_sha256="ab" * 32,
    )
    edits = Edits(
        masks=(mask,),
        rules=(RuleChange(name="es_frame", model=None, now=4),),
        steps=(EditStep(time="2026-11-29T12:00:00+00:00", version="0.1.0"),),
        model_values={**own, **values},
    )
    return replace(analysis, edits=edits)


def record_of(analysis: Analysis) -> StudyRecord:
    return build_record(analysis)


def test_what_changed_is_said_and_what_did_not_is_left_out(analysis: Analysis) -> None:
    record = record_of(corrected(analysis, lv_edv_ml=110.0, lv_esv_ml=60.003, rv_ef_percent=41.0))
    changes = {one.name: (one.model, one.now, one.difference) for one in changed_values(record)}
    assert changes == {"lv_edv_ml": (110.0, 100.0, -10.0), "rv_ef_percent": (41.0, None, None)}
    assert correction_lines(record) == [
        "Short axis mask: 12 voxels in frames 0, 4, slices 2–3.",
        "ES frame 4 (model's run: not given).",
        "Lv edv ml 110 → 100 ml, rv ef percent 41.0 → – %.",
        "Last changed 2026-11-29 12:00 UTC with version 0.1.0.",
    ]


def test_results_of_the_model_and_corrections_taken_back_say_nothing(analysis: Analysis) -> None:
    assert changed_values(record_of(analysis)) == () and correction_lines(record_of(analysis)) == []
    back = replace(analysis, edits=Edits(steps=(EditStep(time="2026-11-29T12:00:00+00:00", version=None),)))
    assert correction_lines(record_of(back)) == []


@pytest.mark.medium
def test_the_head_of_the_page_says_corrected(analysis: Analysis) -> None:
    one = corrected(analysis, lv_edv_ml=110.0)
    page = report_html(one, record_of(one))
    head = page.partition("<main>")[0]
    assert "Corrected by a reader" in head and "12 voxels in frames 0, 4" in head
    assert "Before and after correction" in page and ">110<" in page
    assert "Corrected by a reader" not in report_html(analysis, record_of(analysis))


def test_a_study_without_its_image_has_a_page_that_says_so(analysis: Analysis) -> None:
    cines = tuple(replace(cine, has_image=False) for cine in analysis.study.cines)
    bare = replace(analysis, study=replace(analysis.study, cines=cines))
    page = report_html(bare, record_of(bare))
    assert "No pictures of the short axis" in page and "data:image/webp" not in page
