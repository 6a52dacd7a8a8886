"""The report of one study as a single HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from cinema_cmr.core.analysis import Analysis, NormalRange
from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.study import Issue, Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.atomic import write_text
from cinema_cmr.measure.definition import SHORT_NAMES
from cinema_cmr.measure.normal_ranges import normal_range
from cinema_cmr.report.corrections import correction_lines, shown_changes
from cinema_cmr.report.counting import NOT_COUNTED, StackCounting, mark_uncounted, stack_counting
from cinema_cmr.report.figures import Curve, curves_svg
from cinema_cmr.report.frames import Film, Tile
from cinema_cmr.report.headline import NormalRanges, Reference, cards, human_noise
from cinema_cmr.report.page import OUTLINES, page_environment
from cinema_cmr.report.pictures import Sheet, ViewPicture, contact_sheets, stack_film, view_pictures
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.report.segments import is_segment, segment_plots

__all__ = ["report_html", "write_report"]

_SEVERITIES = ("error", "warning", "info")
_CURVE_PLOTS = (
    ("Ventricular volume", "ml", {"lv_volume_ml": ("lv", "LV"), "rv_volume_ml": ("rv", "RV")}),
    (
        "Mitral valve to apex",
        "mm",
        {f"long_axis_length_{view}_mm": (f"axis_{view}", view.upper()) for view in SHORT_NAMES.values()},
    ),
    ("Left atrial volume", "ml", {"la_volume_ml": ("la", "LA")}),
    ("Right atrial area, 4-chamber", "cm²", {"ra_area_4c_cm2": ("ra", "RA")}),
    ("Myocardial volume", "ml", {"myo_volume_ml": ("myo", "MYO"), "lv_myo_volume_ml": ("myo", "MYO")}),
)
"""Title and unit of each plot, then curve name -> key of its colour and its label."""
_KINDS = {"cine": "Cine", "lge": "Late-enhancement"}
_CYCLE_MS = 1000.0
"""Duration of a cycle in the player where its true length is unknown."""

Notable = TypeVar("Notable", Flag, Issue)


def write_report(analysis: Analysis, record: StudyRecord, path: Path, *, overwrite: bool = False) -> None:
    """Write the report whole or not at all; raises `OutputExistsError` unless `overwrite`."""
    write_text(path, report_html(analysis, record), overwrite=overwrite)


def report_html(analysis: Analysis, record: StudyRecord) -> str:
    """Return the report of an analysis and its record (`build_record`); all text from the input is escaped."""
    study, predictions = analysis.study, analysis.predictions
    counting = stack_counting(analysis)
    pictures = _pictures(analysis, record, counting)
    ventricles = cards(record.measurements, _ranges_of_subject(analysis))
    lines = [line for card in ventricles for line in (card.main, *card.lines)]
    return (
        page_environment()
        .get_template("report.html")
        .render(
            record=record,
            subject=list(_subject_facts(record)),
            corrections=correction_lines(record),
            changed=shown_changes(record),
            cards=ventricles,
            kind=_KINDS[study.modality],
            outlines=OUTLINES[_scheme(analysis)],
            citations=sorted({line.bar.citation for line in lines if line.bar}),
            no_ranges=_why_no_ranges(analysis) if study.modality == "cine" else "",
            flags=_by_severity(record.flags),
            issues=_by_severity(record.issues),
            pictures=pictures,
            atria=[outline for outline in OUTLINES["chambers"] if outline[0] in pictures.atria],
            player=_player(record, pictures),
            curves=_curve_plots(record),
            segments=segment_plots(record.measurements),
            rules=list(dict.fromkeys(one.rule for one in record.measurements if one.rule)),
            reasons={one.name: one.reason for one in record.measurements},
            tables=_tables(record.measurements),
            human_noise=human_noise(),
            view_titles={None: "no cine", **{view: view.title for view in View}},
            across=_across(study),
            predicted=bool(predictions),
            no_images=[cine.view.title for cine in study.cines if not cine.has_image and cine.view in predictions],
            ends=counting.ends,
            not_counted=pictures.has_outline(NOT_COUNTED),
        )
    )


def _scheme(analysis: Analysis) -> str:
    """Return the label scheme of the outlines that all views share: the atria stand in a legend of the long axes."""
    schemes = {prediction.labels.scheme for prediction in analysis.predictions.values()} - {"chambers"}
    return next(iter(schemes), "cine")


def _ranges_of_subject(analysis: Analysis) -> NormalRanges:
    """Return the reference ranges of the subject's sex and age by measurement."""
    subject = analysis.study.subject
    rows = {
        name: normal_range(name, subject.sex, subject.age_years, analysis.normal_ranges)
        for name in analysis.measurements
    }
    return {
        name: Reference(row.lower, row.upper, f"{row.citation} ({row.limits})", _population(row))
        for name, row in rows.items()
        if row is not None
    }


def _population(row: NormalRange) -> str:
    """Return whose range it is: sex, ages, and the first words of its source."""
    people = {"F": "women", "M": "men"}[row.sex]
    return f"of {people} of {row.age_low:g}–{row.age_high:g} years, {row.citation.split(',')[0]}"


def _why_no_ranges(analysis: Analysis) -> str:
    """Return why no number has a reference range."""
    subject, table = analysis.study.subject, analysis.normal_ranges
    unknown = [name for name, value in (("sex", subject.sex), ("age", subject.age_years)) if value is None]
    if unknown:
        return f"{' and '.join(unknown)} of the subject {'is' if len(unknown) == 1 else 'are'} unknown"
    if not table:
        return "the table of ranges is empty"
    low, high = min(row.age_low for row in table), max(row.age_high for row in table)
    return f"the table, of {low:g} to {high:g} years, has none for this subject's sex and age of {subject.age_years:g}"


def _tables(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Return the measurements by part of the page: with a value, by segment, without a value."""
    segments = [one for one in measurements if is_segment(one.name)]
    others = [one for one in measurements if not is_segment(one.name)]
    return {
        "measured": [one for one in others if one.value is not None],
        "segments": segments,
        "missing": [one for one in others if one.value is None],
    }


def _across(study: Study) -> int:
    """Return the number of slices side by side on a wide screen: rows of about equal length, none over six."""
    n_slices = study[View.SAX].n_slices if View.SAX in study else 1
    rows = -(-n_slices // 6)
    return -(-n_slices // rows)


@dataclass(frozen=True, kw_only=True)
class _Pictures:
    """All films of the page."""

    stack: Film | None
    sheets: tuple[Sheet, ...]
    views: tuple[ViewPicture, ...]

    def has_outline(self, name: str) -> bool:
        """Return whether any slice of the stack has an outline of this name."""
        films = [sheet.film for sheet in self.sheets] + ([self.stack] if self.stack else [])
        return any(name in tile.paths for film in films for tile in film.tiles)

    @property
    def atria(self) -> list[str]:
        """Outlines of atria that any view has in any frame."""
        tiles = [tile for view in self.views for tile in view.film.tiles]
        return [name for name in ("la", "ra") if any(any(tile.paths.get(name, ())) for tile in tiles)]

    def moving(self) -> Iterator[tuple[str, Film, Tile]]:
        """Yield key, film and tile of everything that the player moves."""
        if self.stack:
            yield from ((f"stack-{tile.slice_index}", self.stack, tile) for tile in self.stack.tiles)
        for index, view in enumerate(self.views):
            yield f"view-{index}", view.film, view.film.tiles[0]


def _with_images(study: Study) -> Study:
    return replace(study, cines=tuple(cine for cine in study.cines if cine.has_image))


def _pictures(analysis: Analysis, record: StudyRecord, counting: StackCounting) -> _Pictures:
    study, predictions = _with_images(analysis.study), analysis.predictions
    stack = stack_film(study, predictions) if study.modality == "cine" else None
    sheets = contact_sheets(study, predictions, ed=record.summary.ed_frame, es=record.summary.es_frame)
    return _Pictures(
        stack=mark_uncounted(stack, counting.uncounted) if stack else None,
        sheets=tuple(replace(sheet, film=mark_uncounted(sheet.film, counting.uncounted)) for sheet in sheets),
        views=view_pictures(study, predictions, analysis.landmarks),
    )


def _player(record: StudyRecord, pictures: _Pictures) -> dict[str, object]:
    """Return the data of the page's script: outlines by tile, frame times, marked frames, length of a cycle."""
    films = [pictures.stack] if pictures.stack else [view.film for view in pictures.views]
    summary, times = record.summary, record.curves.times_ms
    n_frames = max((len(film.frames) for film in films), default=1)
    rate = summary.heart_rate_bpm
    return {
        "frames": n_frames,
        "times": times if times and len(times) == n_frames else None,
        "marks": {"ED": summary.ed_frame, "ES": summary.es_frame},
        "cycle": 60_000 / rate if rate else _CYCLE_MS,
        "start": summary.ed_frame or 0,
        "paths": {key: tile.paths for key, _, tile in pictures.moving() if tile.paths},
    }


def _subject_facts(record: StudyRecord) -> Iterator[str]:
    subject = record.subject
    if subject.sex:
        yield {"F": "female", "M": "male"}[subject.sex]
    for value, unit in (
        (subject.age_years, "years"),
        (subject.height_cm, "cm"),
        (subject.weight_kg, "kg"),
        (record.summary.heart_rate_bpm, "beats per minute"),
    ):
        if value is not None:
            yield f"{value:.0f} {unit}"


def _by_severity(items: Sequence[Notable]) -> list[Notable]:
    return sorted(items, key=lambda item: _SEVERITIES.index(item.severity))


def _curve_plots(record: StudyRecord) -> list[dict[str, str]]:
    """Return title and SVG of each plot that has a curve of more than one frame."""
    values = record.curves.values
    frames = {one.name: one.frames for one in record.measurements}
    plots = []
    for title, unit, shown in _CURVE_PLOTS:
        curves = [
            Curve(name=key, title=label, values=values[name], marks=_marks(key, frames))
            for name, (key, label) in shown.items()
            if len(values.get(name, ())) > 1
        ]
        if curves:
            svg = curves_svg(curves, times_ms=record.curves.known_times_ms, key=title)
            plots.append({"title": f"{title}, {unit}", "svg": svg})
    return plots


def _marks(key: str, frames: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Return ED and ES of one ventricle's own curve, or the extremes of an atrium's volume."""
    names = {"ED": f"{key}_edv_ml", "ES": f"{key}_esv_ml"}
    names |= {text: f"{key}_volume_{text}_ml" for text in ("max", "min")}
    return {text: frames[name][0] for text, name in names.items() if frames.get(name)}
