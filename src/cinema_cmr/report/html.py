"""The report of one study as a single HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinema_cmr.core.results import LandmarkPrediction, Measurements, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.atomic import write_text
from cinema_cmr.report.build import build_document
from cinema_cmr.report.figures import Curve, curves_svg
from cinema_cmr.report.frames import UNITS_PER_PIXEL, Film, Tile
from cinema_cmr.report.headline import NormalRanges, cards, human_noise
from cinema_cmr.report.page import OUTLINES, page_environment
from cinema_cmr.report.pictures import Sheet, ViewPicture, contact_sheets, stack_film, view_pictures
from cinema_cmr.report.run import RunFacts
from cinema_cmr.report.segments import is_segment, segment_plots

__all__ = ["report_html", "write_report"]

_SEVERITIES = ("error", "warning", "info")
_CURVE_PLOTS = (
    ("Ventricular volume", "ml", {"lv_volume_ml": ("lv", "LV"), "rv_volume_ml": ("rv", "RV")}),
    (
        "Mitral valve to apex",
        "mm",
        {"long_axis_length_4c_mm": ("axis_4c", "4C"), "long_axis_length_2c_mm": ("axis_2c", "2C")},
    ),
    ("Myocardial volume", "ml", {"myo_volume_ml": ("myo", "MYO"), "lv_myo_volume_ml": ("myo", "MYO")}),
)
"""Title and unit of each plot, then curve name -> key of its colour and what is written beside it."""
_KINDS = {"cine": "Cine", "lge": "Late-enhancement"}
_CYCLE_MS = 1000.0
"""How long the player takes for a cycle whose true length is unknown."""


def write_report(
    study: Study,
    predictions: Mapping[View, Prediction],
    *,
    measurements: Measurements,
    run: RunFacts,
    path: Path,
    normal_ranges: NormalRanges | None = None,
    landmarks: Mapping[View, LandmarkPrediction] | None = None,
    overwrite: bool = False,
) -> None:
    """Write the report whole or not at all; raises `OutputExistsError` unless `overwrite`.

    `normal_ranges` gives lower limit, upper limit and citation by the measurement's name.
    """
    text = report_html(
        study, predictions, measurements=measurements, run=run, normal_ranges=normal_ranges, landmarks=landmarks
    )
    write_text(path, text, overwrite=overwrite)


def report_html(
    study: Study,
    predictions: Mapping[View, Prediction],
    *,
    measurements: Measurements,
    run: RunFacts,
    normal_ranges: NormalRanges | None = None,
    landmarks: Mapping[View, LandmarkPrediction] | None = None,
) -> str:
    """The text of the report; all that comes from the input is escaped."""
    document = build_document(study, predictions, measurements=measurements, run=run, landmarks=landmarks)
    pictures = _Pictures(
        stack=stack_film(study, predictions) if study.modality == "cine" else None,
        sheets=contact_sheets(study, predictions, summary=document["summary"]),
        views=view_pictures(study, predictions, landmarks or {}),
    )
    made = cards(document, normal_ranges or {})
    lines = [line for card in made for line in (card.main, *card.lines)]
    return (
        page_environment()
        .get_template("report.html")
        .render(
            document=document,
            subject=list(_subject_facts(document)),
            cards=made,
            kind=_KINDS[study.modality],
            outlines=OUTLINES[_scheme(predictions)],
            citations=sorted({line.bar.citation for line in lines if line.bar}),
            flags=_by_severity(document["flags"]),
            issues=_by_severity(document["issues"]),
            pictures=pictures,
            player=_player(document, pictures),
            curves=_curve_plots(document),
            segments=segment_plots(document["measurements"]),
            rules=list(dict.fromkeys(row["rule"] for row in document["measurements"] if row["rule"])),
            reasons={row["name"]: row["reason"] for row in document["measurements"]},
            tables=_tables(document["measurements"]),
            human_noise=human_noise(),
            view_titles={None: "no cine", **{str(view): view.title for view in View}},
            across=_across(study),
            predicted=bool(predictions),
            units_per_pixel=UNITS_PER_PIXEL,
        )
    )


def _scheme(predictions: Mapping[View, Prediction]) -> str:
    """The scheme of what is outlined; a report shows one."""
    return next((prediction.labels.scheme for prediction in predictions.values()), "cine")


def _tables(measurements: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The measurements in the parts they are shown in: what is known, by segment, what is not known."""
    segments = [row for row in measurements if is_segment(row["name"])]
    others = [row for row in measurements if not is_segment(row["name"])]
    return {
        "known": [row for row in others if row["value"] is not None],
        "segments": segments,
        "unknown": [row for row in others if row["value"] is None],
    }


def _across(study: Study) -> int:
    """Slices side by side on a wide screen: rows of about the same length, none over six."""
    n_slices = study.cine(View.SAX).n_slices if View.SAX in study else 1
    rows = -(-n_slices // 6)
    return -(-n_slices // rows)


@dataclass(frozen=True, kw_only=True)
class _Pictures:
    """All films of the page, and which frame each shows before it is played."""

    stack: Film | None
    sheets: tuple[Sheet, ...]
    views: tuple[ViewPicture, ...]

    def moving(self) -> Iterator[tuple[str, Film, Tile]]:
        """Key, film and tile of all that the player moves."""
        if self.stack:
            yield from ((f"stack-{tile.slice_index}", self.stack, tile) for tile in self.stack.tiles)
        for index, view in enumerate(self.views):
            yield f"view-{index}", view.film, view.film.tiles[0]


def _player(document: Mapping[str, Any], pictures: _Pictures) -> dict[str, Any]:
    """What the page's script needs: outlines by tile, frame times, marked frames, the length of a cycle."""
    films = [pictures.stack] if pictures.stack else [view.film for view in pictures.views]
    summary, times = document["summary"], document["curves"]["times_ms"]
    n_frames = max((len(film.frames) for film in films), default=1)
    beat = summary["heart_rate_bpm"]
    return {
        "frames": n_frames,
        "times": times if times and len(times) == n_frames else None,
        "marks": {"ED": summary["ed_frame"], "ES": summary["es_frame"]},
        "cycle": 60_000 / beat if beat else _CYCLE_MS,
        "start": summary["ed_frame"] or 0,
        "paths": {key: tile.paths for key, _, tile in pictures.moving() if tile.paths},
    }


def _subject_facts(document: Mapping[str, Any]) -> Iterator[str]:
    subject, beat = document["subject"], document["summary"]["heart_rate_bpm"]
    sexes = {"F": "female", "M": "male"}
    if subject["sex"]:
        yield sexes[subject["sex"]]
    for value, unit in (
        (subject["age_years"], "years"),
        (subject["height_cm"], "cm"),
        (subject["weight_kg"], "kg"),
        (beat, "beats per minute"),
    ):
        if value is not None:
            yield f"{value:.0f} {unit}"


def _by_severity(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: _SEVERITIES.index(item["severity"]))


def _curve_plots(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Title and SVG of each plot that has a curve of more than one frame."""
    values, times = document["curves"]["values"], document["curves"]["times_ms"]
    frames = {row["name"]: row["frames"] for row in document["measurements"]}
    plots = []
    for title, unit, wanted in _CURVE_PLOTS:
        curves = [
            Curve(name=key, title=label, values=values[name], marks=_marks(key, frames))
            for name, (key, label) in wanted.items()
            if len(values.get(name, ())) > 1
        ]
        if curves:
            svg = curves_svg(curves, times_ms=times, key=title)
            plots.append({"title": f"{title}, {unit}", "svg": svg})
    return plots


def _marks(key: str, frames: Mapping[str, list[int]]) -> dict[str, int]:
    """ED and ES of one ventricle's own curve."""
    names = {"ED": f"{key}_edv_ml", "ES": f"{key}_esv_ml"}
    return {text: frames[name][0] for text, name in names.items() if frames.get(name)}
