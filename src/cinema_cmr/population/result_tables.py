"""The tables of a population, made of its outcomes: the same whatever the engine, the workers or the order."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.study import Fact, Facts, Subject
from cinema_cmr.io.atomic import write_json
from cinema_cmr.population.listed_facts import listed_facts
from cinema_cmr.population.outcome import StudyOutcome
from cinema_cmr.population.outcome_store import OutcomeStore, StoredOutcome
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.report.segments import is_segment
from cinema_cmr.report.wide.columns import Columns, has_parquet
from cinema_cmr.report.wide.study_row import Codebook, ColumnMeaning, study_row

__all__ = ["VOLATILE", "Tables", "build_tables", "write_tables"]

VOLATILE = ("seconds", "cpu_seconds", "peak_mb")
"""Columns of cost, which differ from run to run; all others are the same bit for bit."""

_FIXED = {
    "scanner": ColumnMeaning(meaning="manufacturer, model and field strength by DICOM"),
    "pixels_sha256": ColumnMeaning(meaning="hash of the images' intensities: equal for duplicates"),
    "outline": ColumnMeaning(meaning="coarse hash of a slice, 64 bits: few differ between near-identical images"),
    "settings": ColumnMeaning(meaning="hash of models, options and version"),
    "seconds": ColumnMeaning(unit="s", meaning="duration of the last attempt"),
    "cpu_seconds": ColumnMeaning(unit="s", meaning="processor time of the last attempt"),
    "peak_mb": ColumnMeaning(unit="MB", meaning="largest memory of the worker so far"),
}
_LAST = ("report", *_FIXED)
_FAILURES = ("study", "cause", "reason", "attempts", "exit_code", *VOLATILE)
_SEGMENT = re.compile(r"(?P<what>.+)_aha(?P<number>\d\d)")
_SUBJECT = frozenset(one.name for one in fields(Subject))
"""Facts that have a column of their own, or are used by measurements."""
_UNITS = {"time_ms": "ms"}


@dataclass(kw_only=True)
class Tables:
    """The tables and their codebook."""

    measurements: Columns = field(default_factory=lambda: Columns(("study", "modality", "sex", "age_years"), _LAST))
    frames: Columns = field(default_factory=lambda: Columns(("study", "frame", "time_ms")))
    segments: Columns = field(default_factory=lambda: Columns(("study", "segment")))
    features: Columns = field(default_factory=lambda: Columns(("study", "tokens")))
    failures: Columns = field(default_factory=lambda: Columns(_FAILURES))
    codebook: Codebook = field(default_factory=lambda: Codebook(_FIXED))
    settings: str | None = None
    """Hash of models, options and version of all outcomes; None without any."""

    def add(self, outcome: StudyOutcome, *, report: bool = False) -> None:
        """Add an outcome to the tables that it belongs to."""
        cost = {name: getattr(outcome.cost, name) for name in VOLATILE}
        record = outcome.record
        if record is None:
            about: dict[str, Fact] = {"study": outcome.name, "cause": outcome.cause, "reason": outcome.reason}
            self.failures.append({**about, "attempts": outcome.attempts, "exit_code": outcome.exit_code, **cost})
            return
        self.codebook.add(record)
        row = study_row(record)
        row |= {f"fact_{name}": value for name, value in outcome.facts.items() if name not in _SUBJECT}
        row["report"] = f"reports/{outcome.name}.html" if report else None
        image = {} if outcome.image is None else vars(outcome.image)
        self.measurements.append({**row, **image, "settings": outcome.settings, **cost})
        for frame in _frame_rows(record):
            self.frames.append(frame)
        for segment in _segment_rows(record):
            self.segments.append(segment)

    def add_features(self, name: str, content: bytes) -> None:
        """Add the vectors of a study, a row each."""
        for tokens, vector in json.loads(content).items():
            self.features.append({"study": name, "tokens": tokens, **{f"f{i}": v for i, v in enumerate(vector)}})


def build_tables(store: OutcomeStore, *, features: bool = False) -> Tables:
    """Read all outcomes of a folder into tables, in the natural order of their names, columns in a fixed order.

    Raises `InputError` for outcomes of several models, options or versions.
    """
    outcomes = store.outcomes()
    tables = Tables(settings=_settings(store, outcomes))
    reports = {path.stem for path in (store.folder / "reports").glob("*.html")}
    facts = listed_facts(store.folder)
    for outcome in _with_facts(store.read(outcomes.values()), facts):
        tables.add(outcome, report=outcome.name in reports)
    for one, content in store.members(outcomes.values() if features else (), "features.json"):
        tables.add_features(one.name, content)
    places = {name: place for place, name in enumerate(outcomes)}
    names = _first_names(store, outcomes, facts)
    for name in ("measurements", "frames", "segments", "features", "failures"):
        setattr(tables, name, _in_order(getattr(tables, name), places, names))
    return tables


def _settings(store: OutcomeStore, outcomes: Mapping[str, StoredOutcome]) -> str | None:
    counts = Counter(one.settings for one in outcomes.values()).most_common()
    if len(counts) > 1:
        raise InputError(
            f"'{store.folder.name}' holds outcomes of {len(counts)} different models, options or versions"
            f" ({', '.join(str(n) for _, n in counts)} studies); expected one, since numbers of several do not belong"
            " into one table: do the others anew with --overwrite"
        )
    return counts[0][0] if counts else None


def _with_facts(outcomes: Iterable[StudyOutcome], listed: Mapping[str, Facts]) -> Iterator[StudyOutcome]:
    """Yield outcomes with the facts of the latest listing, where it has the study."""
    for outcome in outcomes:
        yield replace(outcome, facts=listed.get(outcome.name, outcome.facts))


def _first_names(store: OutcomeStore, outcomes: Mapping[str, StoredOutcome], facts: Mapping[str, Facts]) -> list[str]:
    """Return the columns of the first study with numbers, in their order."""
    first = next((one for one in outcomes.values() if one.status == "done"), None)
    for outcome in _with_facts(store.read([] if first is None else [first]), facts):
        tables = Tables()
        tables.add(outcome)
        return [*tables.measurements.names, *tables.frames.names, *tables.segments.names]
    return []


def write_tables(store: OutcomeStore, facts: Mapping[str, object], *, features: bool = False) -> dict[str, object]:
    """Write all tables, as CSV and where pyarrow is installed as Parquet, and run.json; return its content."""
    tables = build_tables(store, features=features)
    folder, units = store.folder, tables.codebook.units
    tables.measurements.write_csv(folder / "measurements.csv")
    tables.codebook.table(tables.measurements).write_csv(folder / "codebook.csv")
    tables.failures.write_csv(folder / "failures.csv")
    digest = tables.measurements.digest(without=VOLATILE)
    content: dict[str, object] = {
        **facts,
        "studies": len(tables.measurements) + len(tables.failures),
        "done": len(tables.measurements),
        "failed": len(tables.failures),
        "settings": tables.settings,
        "measurements_sha256": digest,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*.zip")),
    }
    parts = {"measurements": tables.measurements, "frames": tables.frames, "segments": tables.segments}
    parts |= {"features": tables.features} if features else {}
    metadata = {"measurements_sha256": digest, "notice": "for research use only; not a medical device"}
    for name, table in parts.items():
        if has_parquet():
            table.write_parquet(folder / f"{name}.parquet", {**units, **_UNITS}, metadata)
        elif name != "measurements":
            table.write_csv(folder / f"{name}.csv")
    write_json(folder / "run.json", content, overwrite=True)
    return content


def _in_order(table: Columns, places: Mapping[str, int], names: Sequence[str]) -> Columns:
    """Return the rows in the order of the studies, the columns in that of `names`, others after them by name."""
    studies = table.values("study")
    order = sorted(range(len(table)), key=lambda row: places[str(studies[row])])
    known = {name: place for place, name in enumerate(names)}
    present = table.names
    ordered = sorted(present, key=lambda name: (known.get(name, len(known)), "" if name in known else name))
    return table.reordered(order, ordered)


def _frame_rows(record: StudyRecord) -> Iterator[dict[str, Fact]]:
    values, times = record.curves.values, record.curves.times_ms
    for frame in range(max((len(curve) for curve in values.values()), default=0)):
        row: dict[str, Fact] = {"study": record.study.name, "frame": frame}
        row["time_ms"] = times[frame] if times is not None and frame < len(times) else None
        yield row | {name: curve[frame] for name, curve in sorted(values.items()) if frame < len(curve)}


def _segment_rows(record: StudyRecord) -> Iterator[dict[str, Fact]]:
    rows: dict[int, dict[str, Fact]] = {}
    for one in record.measurements:
        match = _SEGMENT.fullmatch(one.name) if is_segment(one.name) else None
        if match:
            number = int(match["number"])
            row = rows.setdefault(number, {"study": record.study.name, "segment": number})
            row[match["what"]] = None if one.value is None else float(one.value)
    return iter(rows[number] for number in sorted(rows))
