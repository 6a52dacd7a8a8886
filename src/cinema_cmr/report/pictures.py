"""Films and contact sheets of a study: size, crop and frames of each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    """All slices at one frame."""

    title: str
    frame: int
    film: Film


@dataclass(frozen=True, kw_only=True)
class ViewPicture:
    """Film of one slice of a cine, with its view and grid."""

    title: str
    label: str
    facts: str
    film: Film


def stack_film(study: Study, predictions: Mapping[View, Prediction]) -> Film | None:
    """Return every slice of the short-axis stack at every frame, cropped around the heart; None without a stack."""
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
    study: Study, predictions: Mapping[View, Prediction], *, ed: int | None, es: int | None
) -> tuple[Sheet, ...]:
    """Return the stack at end-diastole and end-systole; where both are unknown, at its first frame."""
    if View.SAX not in study:
        return ()
    cine, labels = _shown(study.cine(View.SAX), predictions)
    box = heart_box(cine, labels)
    first = "Late enhancement" if study.modality == "lge" else "First frame"
    scheme = _scheme(predictions, View.SAX)
    phases = {"End-diastole": ed, "End-systole": es}
    shown_frames = {title: frame for title, frame in phases.items() if frame is not None} or {first: 0}
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
        for title, frame in shown_frames.items()
    )


def view_pictures(
    study: Study,
    predictions: Mapping[View, Prediction],
    landmarks: Mapping[View, LandmarkPrediction] | None = None,
) -> tuple[ViewPicture, ...]:
    """Return the middle slice of every cine, the measured views first, with its landmarks.

    Views without labels are cropped around the heart's position in the short-axis stack.
    """
    sax = study.cine(View.SAX) if View.SAX in study else None
    centre = heart_centre_mm(sax, predictions.get(View.SAX)) if sax else None
    order = list(View)
    ordered = sorted(study.cines, key=lambda cine: order.index(cine.view))
    pictures = []
    for cine in ordered:
        picture, box = _view_picture(cine, predictions, centre)
        found = (landmarks or {}).get(cine.view)
        pictures.append(picture if found is None else _with_marks(picture, shown(cine, None)[0], box, found))
    return tuple(pictures)


def _with_marks(picture: ViewPicture, turned: Cine, box: Box, found: LandmarkPrediction) -> ViewPicture:
    """Return the picture with the points drawn into each of its frames."""
    paths = landmark_paths(found.landmarks, turned, box, (picture.film.width, picture.film.height))
    (tile,) = picture.film.tiles
    return replace(picture, film=replace(picture.film, tiles=(replace(tile, paths={**tile.paths, **paths}),)))


def _view_picture(
    cine: Cine, predictions: Mapping[View, Prediction], centre_mm: Array | None
) -> tuple[ViewPicture, Box]:
    turned, labels = _shown(cine, predictions)
    box = heart_box(turned, labels, centre_mm=None if cine.view == View.SAX else centre_mm)
    middle = cine.n_slices // 2
    labels = None if labels is None else labels[:, :, middle : middle + 1]
    picture = ViewPicture(
        title="Not used" if cine.view == View.OTHER else sentence(cine.view.title),
        label=cine.label,
        facts=_facts(cine),
        film=film(
            turned.select(slices=middle),
            labels,
            box=box,
            frames=range(cine.n_frames),
            longest=_VIEW_PIXELS,
            scheme=_scheme(predictions, cine.view),
        ),
    )
    return picture, box


def _facts(cine: Cine) -> str:
    """Return the grid in words: slices, frames, pixel size and slice spacing."""
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
