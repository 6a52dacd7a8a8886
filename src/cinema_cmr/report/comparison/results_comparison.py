"""Two finished results beside each other: numbers, overlap and settings, and the files that show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.results import Measurement
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.output_folder import results_folder
from cinema_cmr.report.comparison.compared import ComparedSide, ComparedValue, ComparisonRecord, SideRecord
from cinema_cmr.report.comparison.compared_masks import compared_views, same_images
from cinema_cmr.report.comparison.differing_settings import corrections_of, differing_settings
from cinema_cmr.report.comparison.repeatability import repeatability_limit

__all__ = ["COMPARISON_FILES", "ResultsComparison", "compare_sides", "compared_values"]

COMPARISON_FILES = ("compare.html", "compare.json")


@dataclass(frozen=True, kw_only=True)
class ResultsComparison:
    """Two results of a study, or of two visits, beside each other."""

    first: ComparedSide
    second: ComparedSide
    record: ComparisonRecord

    def __repr__(self) -> str:
        beyond = ", ".join(value.name for value in self.record.beyond) or "none"
        return f"ResultsComparison({self.first.title}, {self.second.title}; beyond scan-rescan noise: {beyond})"

    def write(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write compare.html and compare.json, both or neither, and return the page.

        Raises `OutputExistsError` if one of them exists and `overwrite` is False.
        """
        from cinema_cmr.report.comparison.comparison_page import comparison_page

        page, record = COMPARISON_FILES
        with results_folder(folder, last=record, overwrite=overwrite) as draft:
            (draft / page).write_text(comparison_page(self), encoding="utf-8")
            (draft / record).write_text(json_text(self.record), encoding="utf-8")
        return Path(folder) / page


def compare_sides(first: ComparedSide, second: ComparedSide) -> ResultsComparison:
    """Return the comparison of two results; raises `InputError` for a cine and a late-enhancement study."""
    own, other = first.record.study.modality, second.record.study.modality
    if own != other:
        kinds = {"cine": "a cine study", "lge": "a late-enhancement study"}
        raise InputError(
            f"{first.title} is {kinds[own]}, {second.title} {kinds[other]}; expected two of one kind:"
            " give results that measure the same"
        )
    same = same_images(first, second)
    record = ComparisonRecord(
        same_images=same,
        first=_side(first),
        second=_side(second),
        values=compared_values(first.record.measurements, second.record.measurements),
        views=compared_views(first, second, same=same),
        settings=differing_settings(first.run, second.run),
    )
    return ResultsComparison(first=first, second=second, record=record)


def compared_values(first: tuple[Measurement, ...], second: tuple[Measurement, ...]) -> tuple[ComparedValue, ...]:
    """Return every measurement of either side that has a value in one of them, in the order of the first."""
    own, other = ({one.name: one for one in side} for side in (first, second))
    names = dict.fromkeys((*own, *other))
    return tuple(found for name in names if (found := _value(own.get(name), other.get(name))) is not None)


def _value(own: Measurement | None, other: Measurement | None) -> ComparedValue | None:
    either = own or other
    values = [None if one is None else one.value for one in (own, other)]
    if either is None or values == [None, None]:
        return None
    before, after = values
    difference = limit = None
    if before is not None and after is not None:
        difference = after - before
        limit = repeatability_limit(either.name, before, after)
    return ComparedValue(
        name=either.name,
        title=either.title,
        unit=either.unit,
        first=before,
        second=after,
        difference=difference,
        limit=limit,
        is_beyond=None if limit is None or difference is None else abs(difference) > limit,
        same_rule=own is None or other is None or own.rule == other.rule,
    )


def _side(side: ComparedSide) -> SideRecord:
    record = side.record
    stacks = [cine.n_frames for cine in record.cines if cine.view is View.SAX]
    return SideRecord(
        title=side.title,
        model=record.model.name,
        model_hash=record.model.hash,
        version=record.versions.get("cinema_cmr"),
        has_corrected_masks=record.edits is not None and bool(record.edits.masks),
        corrections=corrections_of(record),
        ed_frame=record.summary.ed_frame,
        es_frame=record.summary.es_frame,
        n_frames=stacks[0] if stacks else None,
    )
