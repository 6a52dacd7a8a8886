"""The files of an evaluation, written together or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cinema_cmr.core.serialise import json_text
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.evaluation.record import SCORES_FILE
from cinema_cmr.io.output_folder import check_new_files, results_folder
from cinema_cmr.report.evaluation.page import evaluation_page
from cinema_cmr.report.evaluation.pictures import CasePicture, case_picture, chosen_cases
from cinema_cmr.report.evaluation.tables import evaluation_tables, results_csv
from cinema_cmr.tasks.result import Result

__all__ = ["check_evaluation_folder", "write_evaluation"]

_FILES = ("patients.csv", "tables.md", "page.html", SCORES_FILE)


def check_evaluation_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Raise `OutputExistsError` if the folder holds an evaluation that may not be replaced."""
    check_new_files(folder, _FILES, overwrite=overwrite)


def write_evaluation(
    folder: Path,
    document: Mapping[str, Any],
    results: Sequence[Result],
    studies: Sequence[AnnotatedStudy],
    *,
    overwrite: bool = False,
) -> None:
    """Write tables, page and scores; `document` is `Evaluation.to_dict()`, with `against` and `published` if any.

    `studies` are those of the results, in their order.
    """
    texts = {
        "patients.csv": results_csv(results),
        "tables.md": evaluation_tables(document),
        "page.html": evaluation_page(document, results, list(_cases(document, results, studies))),
        SCORES_FILE: json_text(document),
    }
    with results_folder(folder, last=SCORES_FILE, overwrite=overwrite) as unfinished:
        for name, text in texts.items():
            (unfinished / name).write_bytes(text.encode("utf-8"))


def _cases(
    document: Mapping[str, Any], results: Sequence[Result], studies: Sequence[AnnotatedStudy]
) -> Iterator[CasePicture]:
    rows = document["patients"]
    for title, index in chosen_cases(rows).items():
        picture = case_picture(title, rows[index], studies[index], results[index].labels)
        if picture is not None:
            yield picture
