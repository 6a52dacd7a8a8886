"""Two results folders read back and compared: model against reader, model against model, visit against visit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, overload

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.pipeline.moved_points import taken_back
from cinema_cmr.pipeline.remeasure import Corrections, paths_by_view, remeasure
from cinema_cmr.pipeline.restored_parts import stored_labels, stored_options
from cinema_cmr.pipeline.results_folder import StoredResults, read_results
from cinema_cmr.report.comparison.compared import ComparedSide
from cinema_cmr.report.comparison.results_comparison import ResultsComparison, compare_sides
from cinema_cmr.report.record.build import build_record, mask_file

if TYPE_CHECKING:
    from cinema_cmr.evaluation.compare import Comparison
    from cinema_cmr.evaluation.record import Evaluation

__all__ = ["compare", "compare_results", "compare_with_model"]


@overload
def compare(first: Evaluation, second: Evaluation) -> Comparison: ...
@overload
def compare(
    first: Path | str,
    second: Path | str,
    *,
    names: tuple[str, str] = ...,
    images: Path | str | Mapping[View | str, Path | str] = ...,
) -> ResultsComparison: ...
def compare(
    first: Evaluation | Path | str,
    second: Evaluation | Path | str,
    *,
    names: tuple[str, str] = ("A", "B"),
    images: Path | str | Mapping[View | str, Path | str] = MappingProxyType({}),
) -> Comparison | ResultsComparison:
    """Compare two evaluations patient by patient, or two results folders of `cinema analyse` or `cinema remeasure`.

    Evaluations: paired differences with intervals and corrected p-values; `InputError` for fewer than two shared
    patients, and where the references differ. Results folders: `.record` has both values of each measurement with the
    published scan-rescan limit, Dice of the masks, and what differs; `.write(folder)` writes compare.html and
    compare.json. `names`: what the two are called there; `images`: NIfTI files by view, of images that are not in the
    first folder. Raises `InputError` and its kinds for folders without finished results or with edited masks.
    """
    if isinstance(first, str | Path) and isinstance(second, str | Path):
        return compare_results(first, second, names=names, images=paths_by_view(images))
    if isinstance(first, str | Path) or isinstance(second, str | Path):
        raise UsageError("an evaluation and a folder; expected two evaluations, or two results folders")
    from cinema_cmr.evaluation.record import compare_evaluations

    return compare_evaluations(first, second)


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


def compare_with_model(folder: Path | str) -> ResultsComparison:
    """Compare corrected results with the model's own: its masks, measured again by the rules of its run.

    The facts of the subject are the present ones on both sides. Raises `InputError` for results without a correction
    or with a mask that was edited and not measured again, and as `compare_results` for incomplete ones.
    """
    stored = read_results(folder)
    edits = stored.record.edits
    reader = _side(stored, "reader")
    if edits is None or not edits.is_corrected:
        raise InputError(
            f"'{stored.folder.name}' holds the model's own results; expected corrected ones: correct a slice first, or"
            " give two results"
        )
    options = edits.model_options(stored.run.options)
    masks = {view: stored.model_mask(view) for view in stored.grids}
    rules = asdict(stored_options(replace(stored.run, options=options)))
    own = Corrections(masks=masks, rules=rules, points=taken_back(stored.record), empty_masks=True)
    analysis = remeasure(folder, own)
    model = replace(
        reader,
        title="model",
        record=build_record(replace(analysis, edits=None)),
        run=replace(stored.run, options=options),
        labels=_labels(stored, masks),
    )
    return compare_sides(model, reader)


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
        labels=_labels(stored, {view: stored.folder / mask_file(view) for view in stored.grids}),
    )


def _labels(stored: StoredResults, masks: Mapping[View, Path]) -> dict[View, LabelMap]:
    return {view: stored_labels(stored.labels(view, mask), stored.record, view) for view, mask in masks.items()}
