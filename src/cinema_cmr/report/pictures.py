"""The films and contact sheets of a study: what to show of each view, how large, and in which frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cinema_cmr.core.results import LandmarkPrediction, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.report.display import Array, Box, Labels, heart_box, heart_centre_mm, shown
from cinema_cmr.report.frames import Film, film
from cinema_cmr.report.marks import landmark_paths
from cinema_cmr.report.wording import sentence

__all__ = ["Sheet", "ViewPicture", "contact_sheets", "stack_film", "view_pictures"]

_FILM_PIXELS = 176
_VIEW_PIXELS = 224
_SHEET_PIXELS = 288
_SHEET_QUALITY = 82


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """All slices in one frame."""

    title: str
    frame: int
    film: Film


@dataclass(frozen=True, kw_only=True)
class ViewPicture:
    """One cine as a small film of one slice, with what it was recognised as."""

    title: str
    label: str
    facts: str
    film: Film


def stack_film(study: Study, predictions: Mapping[View, Prediction]) -> Film | None:
    """Every slice of the short-axis stack in every frame, cropped around the heart; None without a stack."""
    if View.SAX not in study:
        return None
    cine, labels = _shown(study.cine(View.SAX), predictions)
    box = heart_box(cine, labels)
    return film(
        cine,
        labels,
        box=box,
        frames=range(cine.n_frames),
        longest=_FILM_PIXELS,
        scheme=_scheme(predictions, View.SAX),
    )


def contact_sheets(
    study: Study, predictions: Mapping[View, Prediction], *, summary: Mapping[str, Any]
) -> tuple[Sheet, ...]:
    """The stack at end-diastole and at end-systole; at its first frame where those are unknown, as of a still."""
    if View.SAX not in study:
        return ()
    cine, labels = _shown(study.cine(View.SAX), predictions)
    box = heart_box(cine, labels)
    first = "Late enhancement" if study.modality == "lge" else "First frame"
    scheme = _scheme(predictions, View.SAX)
    wanted = {"End-diastole": summary["ed_frame"], "End-systole": summary["es_frame"]}
    known = {title: frame for title, frame in wanted.items() if frame is not None} or {first: 0}
    return tuple(
        Sheet(
            title=title,
            frame=frame,
            film=film(
                cine,
                labels,
                box=box,
                frames=(frame,),
                longest=_SHEET_PIXELS,
                quality=_SHEET_QUALITY,
                scheme=scheme,
            ),
        )
        for title, frame in known.items()
    )


def view_pictures(
    study: Study,
    predictions: Mapping[View, Prediction],
    landmarks: Mapping[View, LandmarkPrediction] | None = None,
) -> tuple[ViewPicture, ...]:
    """The middle slice of every cine, the measured views first, with the landmarks found in it.

    Views without labels are cropped around the place where the short axis shows the heart.
    """
    sax = study.cine(View.SAX) if View.SAX in study else None
    centre = heart_centre_mm(sax, predictions.get(View.SAX)) if sax else None
    order = list(View)
    ordered = sorted(study.cines, key=lambda cine: order.index(cine.view))
    pictures = []
    for cine in ordered:
        made, box = _view_picture(cine, predictions, centre)
        found = (landmarks or {}).get(cine.view)
        pictures.append(made if found is None else _with_marks(made, shown(cine, None)[0], box, found))
    return tuple(pictures)


def _with_marks(made: ViewPicture, turned: Cine, box: Box, found: LandmarkPrediction) -> ViewPicture:
    """The picture with the points drawn into each of its frames."""
    paths = landmark_paths(found.landmarks, turned, box, (made.film.width, made.film.height))
    (tile,) = made.film.tiles
    return replace(made, film=replace(made.film, tiles=(replace(tile, paths={**tile.paths, **paths}),)))


def _view_picture(
    cine: Cine, predictions: Mapping[View, Prediction], centre_mm: Array | None
) -> tuple[ViewPicture, Box]:
    turned, labels = _shown(cine, predictions)
    box = heart_box(turned, labels, centre_mm=None if cine.view == View.SAX else centre_mm)
    middle = cine.n_slices // 2
    one = replace(
        turned,
        array=turned.array[:, :, middle : middle + 1],
        slice_positions_mm=turned.slice_positions_mm[middle : middle + 1],
    )
    labels = None if labels is None else labels[:, :, middle : middle + 1]
    made = ViewPicture(
        title="Not used" if cine.view == View.OTHER else sentence(cine.view.title),
        label=cine.label,
        facts=_facts(cine),
        film=film(
            one,
            labels,
            box=box,
            frames=range(cine.n_frames),
            longest=_VIEW_PIXELS,
            scheme=_scheme(predictions, cine.view),
        ),
    )
    return made, box


def _facts(cine: Cine) -> str:
    """What was scanned, in words: slices, frames, pixel size and the distance between slices."""
    dx, dy, dz = cine.spacing_mm
    slices = f"{cine.n_slices} slices {dz:.1f} mm apart" if cine.n_slices > 1 else "1 slice"
    frames = f"{cine.n_frames} frame{'s' if cine.n_frames > 1 else ''}"
    return f"{slices}, {frames}, {dx:.2f} × {dy:.2f} mm"


def _scheme(predictions: Mapping[View, Prediction], view: View) -> str:
    return predictions[view].labels.scheme if view in predictions else "cine"


def _shown(cine: Cine, predictions: Mapping[View, Prediction]) -> tuple[Cine, Labels | None]:
    # A prediction belongs to the one measured cine of its view; `View.OTHER` has none.
    prediction = predictions.get(cine.view) if cine.view != View.OTHER else None
    return shown(cine, prediction.labels.array if prediction else None)
