"""Labels of other systems as a folder of NIfTI images and masks, which `finetune` and `evaluate` take as a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.interop.canvas import ReadLabels
from cinema_cmr.interop.label_reading import read_dicom_labels
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.io.output_folder import results_folder
from cinema_cmr.io.read import read_study

__all__ = ["convert_labels"]

_LV = next(label.code for label in CINE_LABELS if label.name == "lv")


def convert_labels(
    source: Path | str, study: Path | str, folder: Path | str, *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write the labelled frames of a DICOM study into a dataset folder; return the paths of the masks.

    Frames without a label are left out: nothing was said of them. Two frames of a view are named ED and ES, the one of
    more LV first, and form one study; others are named by frame. Raises `InputError` as `read_dicom_labels` does, and
    for labels of a cine whose view is unknown.
    """
    whole = read_study(study)
    read = read_dicom_labels(source, whole)
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
    return tuple(Path(folder) / f"{name}_seg.nii.gz" for _, _, name in names)


def _frame_names(one: ReadLabels) -> Sequence[tuple[int, str]]:
    """Return each labelled frame with its name in a file."""
    if len(one.frames) == 2:
        volumes = np.count_nonzero(one.labels.array == _LV, axis=(0, 1, 2))
        ed, es = sorted(one.frames, key=lambda frame: -int(volumes[frame]))
        return ((ed, "ED"), (es, "ES"))
    return tuple((frame, f"frame{frame:02d}") for frame in one.frames)
