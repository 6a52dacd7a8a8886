"""One study as one row: every number of its record, and the codebook of the columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cinema_cmr.core.field_docs import field_docs
from cinema_cmr.core.study import Fact, Subject
from cinema_cmr.io.names import file_stem
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.report.wide.columns import Columns

__all__ = ["Codebook", "ColumnMeaning", "study_row"]


@dataclass(frozen=True, kw_only=True)
class ColumnMeaning:
    """What a column holds."""

    unit: str = ""
    meaning: str
    method: str = ""
    rule: str = ""


class Codebook:
    """Column -> its meaning, gathered from the records that fill them."""

    def __init__(self, fixed: Mapping[str, ColumnMeaning] | None = None) -> None:
        self._fixed = _FIXED | dict(fixed or {})
        self._seen: dict[str, Counter[ColumnMeaning]] = {}

    def add(self, record: StudyRecord) -> None:
        """Count the measurements of a record."""
        for one in record.measurements:
            about = ColumnMeaning(unit=one.unit, meaning=one.title, method=one.method, rule=one.rule)
            self._seen.setdefault(one.name, Counter())[about] += 1

    def meaning(self, name: str) -> ColumnMeaning:
        """Return the meaning of a column: that of most studies, whatever their order."""
        if name in self._fixed:
            return self._fixed[name]
        counts = self._seen.get(name)
        if not counts:
            return ColumnMeaning(meaning=_fallback(name))
        return min(counts, key=lambda about: (-counts[about], about.rule, about.method))

    @property
    def units(self) -> dict[str, str]:
        """Column -> unit."""
        return {name: self.meaning(name).unit for name in (*self._fixed, *self._seen)}

    def table(self, columns: Columns) -> Columns:
        """Return the codebook of a table, a row a column: unit, meaning, method, rule, number of values."""
        made = Columns(("column", "unit", "meaning", "method", "rule", "values"))
        for name in columns.names:
            present = sum(value not in (None, "") for value in columns.values(name))
            made.append({"column": name, **vars(self.meaning(name)), "values": present})
        return made


def study_row(record: StudyRecord) -> dict[str, Fact]:
    """Return column -> value of a study's record: subject, measurements, disease model, flags, confidence, model.

    Values are the record's own, so that equal records give equal rows.
    """
    flags = [flag for flag in record.flags if flag.severity != "info"]
    row: dict[str, Fact] = {"study": record.study.name, "modality": record.study.modality}
    row |= {name: getattr(record.subject, name) for name in _SUBJECT}
    row |= {one.name: None if one.value is None else float(one.value) for one in record.measurements}
    if record.disease is not None:
        row["disease_group"] = record.disease.group
        row |= {f"disease_p_{_word(name)}": float(p) for name, p in sorted(record.disease.probabilities.items())}
    confidence = [value for one in record.predictions[:1] for value in one.confidence if value is not None]
    return {
        **row,
        "confidence": round(sum(confidence) / len(confidence), 6) if confidence else None,
        "views": " ".join(sorted(str(one.view) for one in record.cines)),
        "n_errors": sum(flag.severity == "error" for flag in flags),
        "n_warnings": sum(flag.severity == "warning" for flag in flags),
        "flags": " ".join(flag.code for flag in flags),
        "notes": " ".join(flag.code for flag in record.flags if flag.severity == "info"),
        "model": file_stem(record.model.name),
        "model_sha256": record.model.hash,
        "input_sha256": record.study.input_sha256,
    }


_SUBJECT = ("sex", "age_years", "height_cm", "weight_kg")
"""The heart rate is a measurement."""

_FIXED: dict[str, ColumnMeaning] = {
    "study": ColumnMeaning(meaning="identifier of the study, from the manifest or its path"),
    "modality": ColumnMeaning(meaning="cine or lge (late enhancement)"),
    "sex": ColumnMeaning(meaning="F or M"),
    "age_years": ColumnMeaning(unit="years", meaning=field_docs(Subject)["age_years"]),
    "height_cm": ColumnMeaning(unit="cm", meaning=field_docs(Subject)["height_cm"]),
    "weight_kg": ColumnMeaning(unit="kg", meaning=field_docs(Subject)["weight_kg"]),
    "disease_group": ColumnMeaning(meaning="most probable group of the disease model; for research only"),
    "confidence": ColumnMeaning(meaning="mean probability of the predicted class, over structures and frames"),
    "views": ColumnMeaning(meaning="views of the cines that were read"),
    "n_errors": ColumnMeaning(meaning="flags of severity error: a number is wrong or missing"),
    "n_warnings": ColumnMeaning(meaning="flags of severity warning: look at the study"),
    "flags": ColumnMeaning(meaning="codes of errors and warnings, separated by spaces"),
    "notes": ColumnMeaning(meaning="codes of notes, separated by spaces"),
    "model": ColumnMeaning(meaning="segmentation model"),
    "model_sha256": ColumnMeaning(meaning="hash of its weights"),
    "input_sha256": ColumnMeaning(meaning="hash of the input's files"),
    "report": ColumnMeaning(meaning="path of the report"),
    "error": ColumnMeaning(meaning="why the study has no results"),
}


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def _fallback(name: str) -> str:
    if name.startswith("disease_p_"):
        return f"probability of group {name.removeprefix('disease_p_')} by the disease model; for research only"
    if name.startswith("fact_"):
        return "column of the manifest"
    return ""
