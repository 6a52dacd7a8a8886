"""Labels of other systems as a folder of NIfTI images and masks, which `finetune` and `evaluate` take as a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.serialise import json_text
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import ATRIUM_LABELS, CINE_LABELS, View
from cinema_cmr.datasets.reading import Note, ignore_note
from cinema_cmr.interop.canvas import Canvas, ReadLabels
from cinema_cmr.interop.contour_reading import add_contour_files, is_contour_file
from cinema_cmr.interop.label_reading import add_dicom_labels
from cinema_cmr.interop.mask_reading import add_mask_files
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.names import is_nifti_name
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.io.nifti.other_formats import is_other_format
from cinema_cmr.io.output_folder import results_folder
from cinema_cmr.io.read import read_study
from cinema_cmr.io.walk import paths_below

__all__ = ["convert_labels", "read_labels"]

_CODES = {label.name: label.code for label in CINE_LABELS}
_ATRIA = tuple(label.name for label in ATRIUM_LABELS)


def convert_labels(
    source: Path | str,
    study: Path | str,
    folder: Path | str,
    *,
    codes: Mapping[int, int] | None = None,
    overwrite: bool = False,
    note: Note = ignore_note,
) -> tuple[Path, ...]:
    """Write the labelled frames of a DICOM study into a dataset folder; return the paths of the masks.

    Frames without a label are left out: nothing was said of them. Two frames of a view are named ED and ES, the one of
    more LV first, and form one study; others are named by frame. Where not all structures were drawn in all of them,
    `labels.json` in the folder states which were; `note` receives what was passed over. Raises `InputError` as
    `read_labels` does, and for labels of a cine whose view is unknown.
    """
    whole = read_study(study)
    read = read_labels(source, whole, Path(study), codes=codes, note=note)
    unknown = [one.cine.label for one in read if one.cine.view is View.OTHER]
    if unknown or not read:
        raise InputError(
            f"the labels of '{Path(source).name}' lie on {', '.join(unknown) or 'no cine'}; expected a cine of a"
            " recognised view: see `cinema views`"
        )
    names = [(one, frame, f"{whole.name}_{one.cine.view}_{name}") for one in read for frame, name in _frame_names(one)]
    marker = f"{names[-1][2]}_seg.nii.gz"
    with results_folder(folder, last=marker, overwrite=overwrite) as draft:
        for one, frame, name in names:
            cine = one.cine.select(frames=frame)
            write_cine(cine, draft / f"{name}.nii.gz")
            write_mask(one.labels.array[..., frame : frame + 1], cine, draft / f"{name}_seg.nii.gz")
        _write_statement(read, draft, contours=any(map(is_contour_file, _files(Path(source)))))
    return tuple(Path(folder) / f"{name}_seg.nii.gz" for _, _, name in names)


def read_labels(
    source: Path | str,
    study: Study,
    images: Path,
    *,
    codes: Mapping[int, int] | None = None,
    note: Note = ignore_note,
) -> tuple[ReadLabels, ...]:
    """Read masks and contours of other systems as labels on the cines of a study that was read from `images`, DICOM.

    `source`: a file or a folder of DICOM SEG or RTSTRUCT, of contours (`interop.contour_reading`), or of masks in
    NIfTI, NRRD or MHA (`interop.mask_reading`), whose codes are `codes` (file code -> our code), or ours. `note`
    receives what was passed over. Raises `InputError` for a folder of several kinds, and as the reader of its kind.
    """
    source, canvas = Path(source), Canvas(study=study, note=note)
    files = _files(source)
    contours = [path for path in files if is_contour_file(path)]
    masks = [path for path in files if is_nifti_name(path) or is_other_format(path)]
    if contours and masks:
        raise InputError(
            f"'{source.name}' holds contours, e.g. '{contours[0].name}', and masks, e.g. '{masks[0].name}'; expected"
            " one kind: give the folder of one of them"
        )
    if contours:
        add_contour_files(canvas, contours, images)
    elif masks:
        add_mask_files(canvas, masks, codes)
    else:
        add_dicom_labels(canvas, source)
    return tuple(canvas.painted())


def _files(source: Path) -> list[Path]:
    return [path for path in paths_below(source) if path.is_file()] if source.is_dir() else [source]


def _write_statement(read: Sequence[ReadLabels], folder: Path, *, contours: bool) -> None:
    """Write which structures were drawn, where not all of a cine's were; of an atrium, in all of the long axes.

    Nothing was said of slices without a contour.
    """
    drawn = [name for name in _CODES if all(name in one.drawn for one in read)]
    planes = [one for one in read if one.cine.view.is_long_axis]
    atria = [name for name in _ATRIA if planes and all(name in one.drawn for one in planes)]
    partly: dict[str, object] = {} if len(drawn) == len(_CODES) else {"drawn": [*drawn, *atria]}
    if contours:
        partly["empty_slices"] = "unknown"
    if partly:
        write_text(folder / "labels.json", json_text(partly))


def _frame_names(one: ReadLabels) -> Sequence[tuple[int, str]]:
    """Return each labelled frame with its name in a file."""
    if len(one.frames) == 2:
        volumes = np.count_nonzero(one.labels.array == _CODES["lv"], axis=(0, 1, 2))
        ed, es = sorted(one.frames, key=lambda frame: -int(volumes[frame]))
        return ((ed, "ED"), (es, "ES"))
    return tuple((frame, f"frame{frame:02d}") for frame in one.frames)
