"""Two results folders read back and compared: model against reader, model against model, visit against visit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.pipeline.restored_parts import label_scheme
from cinema_cmr.pipeline.results_folder import StoredResults, read_results
from cinema_cmr.report.comparison.compared import ComparedSide
from cinema_cmr.report.comparison.results_comparison import ResultsComparison, compare_sides
from cinema_cmr.report.record.build import mask_file

__all__ = ["compare_results"]


def compare_results(
    first: Path | str,
    second: Path | str,
    *,
    names: tuple[str, str] = ("A", "B"),
    images: Mapping[View, Path] | None = None,
) -> ResultsComparison:
    """Compare two results folders of `cinema analyse` or `cinema remeasure`.

    `names`: what the two are called on the page. `images`: NIfTI files by view, of the images that both are of, where
    the first has none beside it. Raises `UsageError` for one folder given twice, `MissingFileError` for one without
    finished results, `UnreadableFileError` for damaged ones, `InputError` for a mask that was edited and not measured
    again and for studies of two kinds.
    """
    if Path(first).resolve() == Path(second).resolve():
        raise UsageError(f"'{Path(first).name}' was given twice; expected two results folders")
    if len(set(names)) < 2 or not all(names):
        raise UsageError(f"names '{names[0]}' and '{names[1]}'; expected two different ones")
    stored = read_results(first, images), read_results(second)
    return compare_sides(*(_side(one, name) for one, name in zip(stored, names, strict=True)))


def _side(stored: StoredResults, title: str) -> ComparedSide:
    for view in stored.grids:
        if stored.is_changed(view):
            raise InputError(
                f"{mask_file(view)} of '{stored.folder.name}' was edited after it was measured; expected masks and"
                " numbers that belong together: run `cinema remeasure` on that folder first"
            )
    return ComparedSide(
        title=title,
        record=stored.record,
        run=stored.run,
        study=stored.study,
        grids=stored.grids,
        labels={view: stored.labels(view, stored.folder / mask_file(view)) for view in stored.grids},
        scheme=label_scheme(stored.record),
    )
