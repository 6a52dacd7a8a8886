"""What a reader corrected, in words, and the values of the model's own run beside the new ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from cinema_cmr.core.edits import MaskEdit, PointEdit, RuleChange
from cinema_cmr.core.run_facts import OptionValue
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.report.segments import is_segment
from cinema_cmr.report.wording import number, sentence, spans, unit_text, words

__all__ = [
    "ValueChange",
    "changed_values",
    "correction_lines",
    "mask_lines",
    "option_text",
    "point_lines",
    "rule_line",
    "shown_changes",
]

_SAME = 1e-4
"""Relative difference below which a value counts as the same: records have six digits, and so have grids and times."""
_DAY = slice(0, 16)
_PRINCIPAL = ("lv_ef_percent", "lv_edv_ml", "lv_esv_ml", "lv_mass_g", "rv_ef_percent", "infarct_percent")


@dataclass(frozen=True, kw_only=True)
class ValueChange:
    """A measurement whose value differs from that of the model's own run."""

    name: str
    title: str
    unit: str
    model: float | None
    """Value of the model's own masks, by the rules of its run."""
    now: float | None

    @property
    def difference(self) -> float | None:
        """The new value minus that of the model; None where either is unknown."""
        return None if self.model is None or self.now is None else self.now - self.model


def changed_values(record: StudyRecord) -> tuple[ValueChange, ...]:
    """Return the measurements that differ from the model's own run, in the order of the record."""
    if record.edits is None:
        return ()
    model = record.edits.model_values
    values = (
        ValueChange(name=one.name, title=one.title, unit=one.unit, model=model.get(one.name), now=one.value)
        for one in record.measurements
        if one.name in model
    )
    return tuple(value for value in values if _differs(value))


def shown_changes(record: StudyRecord) -> list[ValueChange]:
    """Return the changed values for a reader: without those by segment, and those that look the same once rounded."""
    return [
        value
        for value in changed_values(record)
        if not is_segment(value.name) and number(value.model, value.unit) != number(value.now, value.unit)
    ]


def correction_lines(record: StudyRecord) -> list[str]:
    """Return one sentence for each corrected mask and changed rule, and one on the last step; empty without any."""
    edits = record.edits
    if edits is None or not edits.is_corrected:
        return []
    principal = ", ".join(_value_text(value) for value in shown_changes(record) if value.name in _PRINCIPAL)
    last = edits.steps[-1]
    done = f"Last changed {last.time[_DAY].replace('T', ' ')} UTC with version {last.version or 'unknown'}."
    values = [f"{sentence(principal)}."] if principal else []
    return [*mask_lines(edits.masks), *point_lines(edits.points), *map(rule_line, edits.rules), *values, done]


def _value_text(value: ValueChange) -> str:
    before, now = (number(one, value.unit) for one in (value.model, value.now))
    return f"{value.title} {before} → {now} {unit_text(value.unit)}"


def _differs(value: ValueChange) -> bool:
    if value.model is None or value.now is None:
        return value.model is not value.now
    return abs(value.now - value.model) > _SAME * max(abs(value.model), abs(value.now))


def mask_lines(masks: tuple[MaskEdit, ...]) -> Iterator[str]:
    """Yield a sentence on each corrected mask: voxels, frames and slices that differ from the model's own."""
    for mask in masks:
        voxels = sum(one.voxels for one in mask.slices)
        indices = sorted({one.slice for one in mask.slices})
        slices = f"slice{'s' * (len(indices) > 1)} {spans(indices)}"
        frames = f"frame{'s' * (len(mask.frames) > 1)} {spans(mask.frames)}"
        yield f"{sentence(mask.view.title)} mask: {voxels} voxels in {frames}, {slices}."


def point_lines(points: tuple[PointEdit, ...]) -> Iterator[str]:
    """Yield a sentence on the moved landmarks of each view: how many, in which frames, how far at most."""
    for view in sorted({one.view for one in points}):
        moved = [one for one in points if one.view == view]
        frames = sorted({one.frame for one in moved})
        steps = [math.dist(one.model_ras_mm, one.now_ras_mm) for one in moved if one.model_ras_mm is not None]
        far = f", by up to {max(steps):.1f} mm" if steps else ""
        yield (
            f"{sentence(view.title)} landmarks: {len(moved)} point{'s' * (len(moved) > 1)} moved in"
            f" frame{'s' * (len(frames) > 1)} {spans(frames)}{far}."
        )


def rule_line(rule: RuleChange) -> str:
    """Return a sentence on a changed rule: its value now, and that of the model's run."""
    name = words(rule.name.removeprefix("given_"))
    return f"{sentence(name)} {option_text(rule.now)} (model's run: {option_text(rule.model)})."


def option_text(value: OptionValue) -> str:
    """Return an option as a reader sees it."""
    return "not given" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
