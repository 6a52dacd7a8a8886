"""One study opened for reading and correcting: its images, the model's labels, and the labels as corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError, MissingFileError, UnknownNameError
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.report.display import Box, heart_box, shown, window
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.stored import read_run
from cinema_cmr.report.record.study_record import CineRecord, StudyRecord
from cinema_cmr.serve.numbers import measure_corrected
from cinema_cmr.serve.review import Review, read_review, write_review

__all__ = ["IMAGES", "OpenedStudy", "OpenedView", "open_study"]

IMAGES = "images"
"""Folder of the images beside the masks."""

_WHITE = 65535


@dataclass(kw_only=True)
class OpenedView:
    """Images and labels of one view, turned for display: x runs right, y runs down."""

    cine: Cine
    """Turned; its array holds the stored intensities."""
    pixels: NDArray[np.uint16]
    """(z, t, y, x) intensities, 0 at `low` and 65535 at `high`."""
    low: float
    high: float
    window: tuple[float, float]
    """Intensities shown as black and white at first."""
    box: Box
    """The part around the heart."""
    place: NDArray[np.int64]
    """(x, y) of the picture -> flat index of the stored slice (x, y)."""
    stored_shape: tuple[int, int]
    scheme: str
    own: NDArray[np.uint8] | None
    """(x, y, z, t) the model's labels, turned; None for a view without a mask."""
    labels: NDArray[np.uint8] | None
    """(x, y, z, t) as corrected, turned."""

    def turned(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a slice (x, y), or slices (x, y, ...), of the stored grid as it is shown."""
        flat = codes.reshape(self.stored_shape[0] * self.stored_shape[1], *codes.shape[2:])
        return flat[self.place]

    def as_stored(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a slice (x, y) that is shown, on the stored grid."""
        flat = np.empty(codes.size, np.uint8)
        flat[self.place.ravel()] = codes.ravel()
        return flat.reshape(self.stored_shape)

    @property
    def n_codes(self) -> int:
        """Number of label codes, background included."""
        return 1 + max(label.code for label in LABEL_SCHEMES[self.scheme])


@dataclass(kw_only=True)
class OpenedStudy:
    """A study in memory; one request at a time may change it."""

    folder: Path
    record: StudyRecord
    run: RunRecord
    views: Mapping[View, OpenedView]
    review: Review
    lock: RLock = field(default_factory=RLock)
    measured: Measurements | None = None
    """Numbers of the labels as they are; None before the first measurement."""

    def view(self, name: str) -> OpenedView:
        """Return a view; raises `UnknownNameError` for one without images."""
        for view, opened in self.views.items():
            if view == name:
                return opened
        raise UnknownNameError(f"the study has no images of the view '{name}'; known: {', '.join(self.views)}")

    def change(self, name: str, frame: int, index: int, codes: NDArray[np.uint8] | None) -> None:
        """Give a slice other labels (x, y), as shown, or the model's own for None; equal ones are no correction."""
        view = self.view(name)
        if view.own is None or view.labels is None:
            raise InputError(f"the view '{name}' has no mask; expected one of a segmented view")
        if not (0 <= index < view.own.shape[2] and 0 <= frame < view.own.shape[3]):
            raise InputError(
                f"slice {index} in frame {frame}; expected slices 0 to {view.own.shape[2] - 1} and frames 0 to"
                f" {view.own.shape[3] - 1}"
            )
        own = view.own[:, :, index, frame]
        view.labels[:, :, index, frame] = own if codes is None else codes
        same = codes is None or np.array_equal(codes, own)
        stored = None if same or codes is None else view.as_stored(codes)
        self.review = self.review.with_slice(view.cine.view, frame, index, stored)
        self.measured = None

    def save(self) -> None:
        """Write the review, with the hash of each mask that was corrected."""
        masks = {one.view: one.mask for one in self.record.predictions}
        corrected = {one.view for one in self.review.slices}
        known = dict(self.review.mask_sha256)
        hashes = {view: known.get(view) or file_digest(self.folder / masks[view]) for view in sorted(corrected)}
        self.review = replace(self.review, mask_sha256=hashes)
        write_review(self.review, self.folder)

    def numbers(self) -> Measurements:
        """Return the measurements of the labels as they are, by the options of the run and the chosen frames."""
        if self.measured is None:
            cines = {name: view.cine for name, view in self.views.items()}
            labels = {
                name: LabelMap(array=view.labels, scheme=view.scheme)
                for name, view in self.views.items()
                if view.labels is not None
            }
            self.measured = measure_corrected(self.record, self.run, cines, labels, self.review)
        return self.measured


def open_study(folder: Path, record: StudyRecord) -> OpenedStudy:
    """Open results with their images; raises `MissingFileError` for results without images."""
    review, run = read_review(folder), read_run(folder / "run.json")
    masks = {one.view: one.mask for one in record.predictions}
    images = {view: folder / IMAGES / f"{view}.nii.gz" for view in View}
    views = {}
    stack_centre = None
    for view in (view for view in View if images[view].is_file()):
        cine = _cine(images[view], view, record)
        mask = folder / masks[view] if view in masks else None
        views[view] = _opened(cine, mask, record, review, stack_centre)
        stack_centre = _centre_mm(views[view]) if view is View.SAX else stack_centre
    if not views:
        raise MissingFileError(
            f"'{folder.name}' holds no images; expected {IMAGES}/sax.nii.gz beside the masks: analyse the study with"
            " this server, or by `cinema analyse` with images kept"
        )
    return OpenedStudy(folder=folder, record=record, run=run, views=views, review=review)


def _centre_mm(view: OpenedView) -> NDArray[np.float64] | None:
    """Return the centre (3,) of a view's labels in RAS mm, None without any."""
    if view.labels is None or not view.cine.orientation_known or not view.labels.any():
        return None
    mean = np.argwhere((view.labels > 0).any(axis=3)).mean(axis=0)
    return np.asarray(view.cine.affine[:3, :3] @ mean + view.cine.affine[:3, 3], dtype=np.float64)


def _cine(path: Path, view: View, record: StudyRecord) -> Cine:
    """Read the images of a view, with the positions and times of the record, which a NIfTI header cannot hold."""
    cine, _ = read_nifti_cine(path, view=view)
    found = [one for one in record.cines if one.view == view and _fits(one, cine)]
    if not found:
        return cine
    known = found[0]
    return replace(
        cine,
        slice_positions_mm=np.array(known.slice_positions_mm, dtype=np.float64),
        frame_times_ms=None if known.frame_times_ms is None else np.array(known.frame_times_ms, dtype=np.float64),
        rr_interval_ms=known.rr_interval_ms,
        slice_thickness_mm=known.slice_thickness_mm,
        orientation_known=known.orientation_known,
        label=known.label,
    )


def _fits(known: CineRecord, cine: Cine) -> bool:
    return (*known.size_voxels, known.n_slices, known.n_frames) == cine.shape


def _opened(
    cine: Cine, mask: Path | None, record: StudyRecord, review: Review, centre: NDArray[np.float64] | None
) -> OpenedView:
    scheme = "scar" if record.study.modality == "lge" else "cine"
    codes = {label.code: label.code for label in LABEL_SCHEMES[scheme]}
    stored = None if mask is None else read_label_codes(mask, cine.shape, codes=codes)
    picture, own = shown(cine, stored)
    labels = None
    if stored is not None:
        labels = shown(cine, review.apply(cine.view, stored, n_codes=1 + max(codes)))[1]
    box = heart_box(picture, own, centre_mm=centre)
    low, high = float(picture.array.min()), float(picture.array.max())
    return OpenedView(
        cine=picture,
        pixels=_pixels(picture.array, low, high),
        low=low,
        high=high,
        window=window(picture, box),
        box=box,
        place=_places(cine),
        stored_shape=cine.shape[:2],
        scheme=scheme,
        own=None if own is None else np.ascontiguousarray(own),
        labels=None if labels is None else np.array(labels),
    )


def _pixels(array: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint16]:
    scaled = (array - np.float32(low)) * np.float32(_WHITE / max(high - low, 1e-12))
    return np.ascontiguousarray(np.rint(scaled).astype(np.uint16).transpose(2, 3, 1, 0))


def _places(cine: Cine) -> NDArray[np.int64]:
    """Return (x, y) of the picture -> flat index of the stored slice."""
    n_x, n_y = cine.shape[:2]
    numbers = np.arange(n_x * n_y, dtype=np.int64).reshape(n_x, n_y, 1, 1)
    first = cine.select(frames=[0], slices=[0])
    turned, _ = shown(replace(first, array=numbers.astype(np.float32), source=cine.source), None)
    return np.rint(turned.array[:, :, 0, 0]).astype(np.int64)
