"""The files of an evaluation, written together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cinema_cmr.core.serialise import json_text
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.evaluation.record import SCORES_FILE, Evaluation
from cinema_cmr.io.output_folder import check_new_files, results_folder
from cinema_cmr.report.evaluation.page import evaluation_page
from cinema_cmr.report.evaluation.pictures import case_picture, chosen_cases
from cinema_cmr.report.evaluation.tables import evaluation_tables, results_csv

__all__ = ["check_evaluation_folder", "write_evaluation"]

_FILES = ("patients.csv", "tables.md", "page.html", SCORES_FILE)


def check_evaluation_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Raise `OutputExistsError` if the folder holds an evaluation that may not be replaced."""
    check_new_files(folder, _FILES, overwrite=overwrite)


def write_evaluation(
    folder: Path, evaluation: Evaluation, studies: Sequence[AnnotatedStudy], *, overwrite: bool = False
) -> None:
    """Write tables, page and scores; `studies` are those of the results, in their order."""
    results = evaluation.results
    drawn = [case_picture(title, results[i], studies[i]) for title, i in chosen_cases(results).items()]
    texts = {
        "patients.csv": results_csv(results),
        "tables.md": evaluation_tables(evaluation),
        "page.html": evaluation_page(evaluation, [case for case in drawn if case is not None]),
        SCORES_FILE: json_text(evaluation.to_dict()),
    }
    with results_folder(folder, last=SCORES_FILE, overwrite=overwrite) as unfinished:
        for name, text in texts.items():
            (unfinished / name).write_bytes(text.encode("utf-8"))
