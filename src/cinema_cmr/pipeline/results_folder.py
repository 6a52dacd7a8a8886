"""A results folder read back without the study: its records, the grids and images of its masks, and the masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import GeometryError, InputError, MissingFileError
from cinema_cmr.core.geometry import apply_affine
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.nifti.image import read_nifti_cine, read_nifti_grid
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.nifti.source import stored_header
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.pipeline.restored_parts import label_scheme, scheme_codes, stored_array
from cinema_cmr.report.record.build import image_file, mask_file, model_mask_file
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.stored import read_measurements, read_run
from cinema_cmr.report.record.study_record import CineRecord, StudyRecord

__all__ = ["StoredResults", "as_recorded", "is_mask_changed", "read_results"]

Labels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class StoredResults:
    """A results folder of `cinema analyse` or `cinema remeasure`."""

    folder: Path
    record: StudyRecord
    run: RunRecord
    study: Study
    """The cines of the record, with their images where these are at hand."""
    grids: Mapping[View, Cine]
    """View with a mask -> the grid that the mask was written on, as stored in its file."""

    def model_mask(self, view: View) -> Path:
        """Return the file of the model's own mask; raises `InputError` where it was overwritten.

        Results of versions before 2.1 of the record have it as the mask of the view alone.
        """
        own, mask = self.folder / model_mask_file(view), mask_file(view)
        if own.exists():
            return own
        if not self.is_changed(view):
            return self.folder / mask
        raise InputError(
            f"{mask} of '{self.folder.name}' was changed and the model's own mask is not beside it; expected"
            f" {model_mask_file(view)}: analyse the study into another folder, then `cinema remeasure` that one with"
            " --mask and the changed file"
        )

    def written(self, view: View) -> str | None:
        """Return the hash of a view's mask as it was written; None in results without hashes."""
        return self.run.outputs.get(mask_file(view))

    def is_changed(self, view: View) -> bool:
        """Return whether a mask was changed since it was written, as by an editor in place."""
        return is_mask_changed(self.folder, self.run, view)

    def labels(self, view: View, path: Path) -> Labels:
        """Read a mask of a view: the stored one, the model's own, or an edited file, on the same grid.

        Raises `GeometryError` for another shape, voxel size or position, `InputError` for unknown codes,
        `UnreadableFileError` for a damaged file.
        """
        grid = self.grids[view]
        codes = scheme_codes(label_scheme(self.record, view))
        header = stored_header(grid)
        return read_label_codes(path, grid.shape, codes=codes, image_header=header, placed=grid.orientation_known)


def is_mask_changed(folder: Path, run: RunRecord, view: View) -> bool:
    """Return whether a mask of results was changed since it was written; False in results without hashes."""
    return run.outputs.get(mask_file(view)) not in (None, file_digest(folder / mask_file(view)))


def read_results(folder: Path | str, images: Mapping[View, Path] | None = None) -> StoredResults:
    """Read a results folder; `images` are NIfTI files of views whose image is not in it.

    Raises `MissingFileError` for a folder without results, `UnreadableFileError` for damaged ones, `InputError` for an
    image of a view without a mask, `GeometryError` for one on another grid.
    """
    folder, images = Path(folder), images or {}
    if not (folder / "run.json").exists():
        raise MissingFileError(
            f"'{folder.name}' has no run.json; expected a folder that `cinema analyse` wrote: analyse the study first"
        )
    record, run = read_measurements(folder / "measurements.json"), read_run(folder / "run.json")
    _check_views(images, record, "image")
    grids = {one.view: _grid(folder, one.view) for one in record.predictions}
    labels = {one.cine for one in record.predictions} | {one.cine for one in record.landmarks}
    cines = tuple(
        _cine(one, folder, grids.get(one.view), images.get(one.view)) if one.label in labels else _without_image(one)
        for one in record.cines
    )
    study = Study(
        name=record.study.name,
        cines=cines,
        subject=record.subject,
        decisions=record.views,
        issues=record.issues,
        modality=record.study.modality,
    )
    return StoredResults(folder=folder, record=record, run=run, study=study, grids=grids)


def _check_views(given: Mapping[View, Path], record: StudyRecord, what: str) -> None:
    known = [one.view for one in record.predictions]
    for view in given:
        if view not in known:
            raise InputError(
                f"{what} of the {view.title} view, of which '{record.study.name}' has no mask; expected one of:"
                f" {', '.join(known) or 'none'}"
            )


def _grid(folder: Path, view: View) -> Cine:
    own, mask = folder / model_mask_file(view), folder / mask_file(view)
    if not mask.exists():
        raise MissingFileError(
            f"'{folder.name}' has no {mask_file(view)}; expected the masks of the run: analyse it again"
        )
    return read_nifti_grid(own if own.exists() else mask, view=view)


def _cine(one: CineRecord, folder: Path, grid: Cine | None, image: Path | None) -> Cine:
    """Return a cine of the record with its image, from a file of the user's or the results; else its grid alone."""
    stored = folder / image_file(one.view)
    path = image or (stored if stored.exists() else None)
    if path is None:
        return _without_image(one) if grid is None else as_recorded(grid, one, grid)
    read, _ = read_nifti_cine(path, view=one.view)
    if grid is not None:
        _check_grid(path, read, grid)
    return as_recorded(read, one, grid)


def as_recorded(cine: Cine, one: CineRecord, grid: Cine | None) -> Cine:
    """Return a cine with the positions, times and facts of the record, which NIfTI cannot hold.

    `grid` is that of the mask's file, of which the cine keeps the source if it was read on that grid.
    """
    return replace(
        cine,
        slice_positions_mm=stored_array(one.slice_positions_mm),
        frame_times_ms=None if one.frame_times_ms is None else stored_array(one.frame_times_ms),
        rr_interval_ms=one.rr_interval_ms,
        slice_thickness_mm=one.slice_thickness_mm,
        orientation_known=one.orientation_known,
        in_phase=one.in_phase,
        label=one.label,
        source=grid.source if grid is not None and one.on_file_grid else None,
    )


def _without_image(one: CineRecord) -> Cine:
    """Return a cine of which only sizes are known; it lies nowhere."""
    n_x, n_y = one.size_voxels
    gaps = np.diff(stored_array(one.slice_positions_mm))
    blank = Cine(
        array=np.broadcast_to(np.float32(0), (n_x, n_y, one.n_slices, one.n_frames)),
        affine=np.diag([*one.spacing_mm, float(gaps.mean()) if len(gaps) else 1.0, 1.0]),
        view=one.view,
        slice_positions_mm=stored_array(one.slice_positions_mm),
        has_image=False,
    )
    return as_recorded(blank, one, None)


def _check_grid(path: Path, image: Cine, grid: Cine) -> None:
    """Raise `GeometryError` for an image on another grid than the mask."""
    if image.shape != grid.shape:
        raise GeometryError(
            f"'{path.name}' has shape {image.shape}, the mask {grid.shape}; expected the image that was analysed"
        )
    if not grid.orientation_known:
        return
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(grid.shape[:3]) - 1)
    off_mm = np.abs(apply_affine(image.affine, corners) - apply_affine(grid.affine, corners)).max()
    if off_mm > min(grid.spacing_mm) / 2:
        raise GeometryError(
            f"'{path.name}' lies up to {off_mm:.1f} mm from the mask, with the same shape; expected the image that was"
            " analysed"
        )
