"""What leaves the server: the list as CSV, and corrected studies as labelled cases for training."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_grid, write_mask
from cinema_cmr.io.output_folder import atomic_folder
from cinema_cmr.pipeline.restored_parts import label_scheme, n_label_codes
from cinema_cmr.report.record.build import image_file
from cinema_cmr.report.record.review import now
from cinema_cmr.serve.document import SHOWN_VALUES, own_values
from cinema_cmr.serve.library import Listed, Unreadable
from cinema_cmr.serve.messages import Exported
from cinema_cmr.serve.opened_view import read_codes
from cinema_cmr.serve.own_masks import drawn_on_others, has_other_mask, own_mask

__all__ = ["corrected_labels", "fits", "labelled_cases", "list_csv", "model_labels", "values_of"]

Labels = NDArray[np.uint8]


def values_of(one: Listed) -> dict[str, float | None]:
    """Return the principal numbers of a study as it is: those of its results, or of later changes in the review."""
    found: Mapping[str, float | None] = {each.name: each.value for each in one.record.measurements}
    if one.review.values and one.state != "signed off" and not one.review.is_older(one.record.edits):
        found = one.review.values
    return {name: found[name] for name in SHOWN_VALUES if name in found}


def list_csv(studies: Sequence[Listed], damaged: Sequence[Unreadable] = ()) -> str:
    """Return the list as CSV: a line a study, with the corrected numbers and those of the model.

    A study that cannot be read has a line with the name of its folder, the state "unreadable" and no numbers.
    """
    text = io.StringIO()
    model = [f"model_{name}" for name in SHOWN_VALUES]
    columns = ("study", "state", "corrected_slices", "signed_off", *SHOWN_VALUES, *model, "flags")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for one in studies:
        own = own_values(one.record)
        row = {
            "study": one.record.study.name,
            "state": one.state,
            "corrected_slices": len(one.review.slices) or _n_edited(one),
            "signed_off": one.review.signed_off if one.state == "signed off" else None,
            **{name: values_of(one).get(name) for name in SHOWN_VALUES},
            **{f"model_{name}": own.get(name) for name in SHOWN_VALUES},
            "flags": " ".join(flag.code for flag in one.record.flags),
        }
        writer.writerow(csv_row(row))
    for broken in damaged:
        writer.writerow(csv_row({"study": broken.name, "state": "unreadable"}))
    return text.getvalue()


def _n_edited(one: Listed) -> int:
    """Return the number of slices that another program has corrected, of a study that was not opened since."""
    edits = one.record.edits if one.state == "corrected" else None
    return sum(len(mask.slices) for mask in edits.masks) if edits else 0


def labelled_cases(studies: Sequence[Listed], exports: Path) -> Exported:
    """Write each corrected study as a case of a folder that `cinema finetune --data` takes.

    Only corrected frames have labels: a frame without labels counts as unlabelled. Studies that do not fit their
    results (`fits`) are left out, and counted. Raises `InputError` without any corrected study.
    """
    drawn = [one for one in studies if _has_slices(one) and one.record.study.modality == "cine"]
    corrected = [one for one in drawn if fits(one)]
    if not corrected:
        raise InputError(
            f"no study has corrected slices ({len(drawn)} that do not fit their results); expected at least one:"
            " correct a slice first, and open a study that was corrected elsewhere"
        )
    name = "cases-" + re.sub(r"\D", "", now())[:14]
    frames = 0
    with atomic_folder(exports / name) as folder:
        for one in corrected:
            case = folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', one.record.study.name)[:40]}-{one.key[:8]}"
            frames += _write_case(one, case)
    return Exported(folder=name, cases=len(corrected), frames=frames, left_out=len(drawn) - len(corrected))


def _has_slices(one: Listed) -> bool:
    """Whether a reader has corrected slices, here or elsewhere."""
    return bool(one.review.slices) or bool(_n_edited(one))


def fits(one: Listed) -> bool:
    """Whether the review of a study is that of its results.

    It is not where corrections were drawn on other masks of the model than it has, and where the results were changed
    elsewhere since: until the study is opened, the review lacks those changes.
    """
    edits = one.record.edits
    views = {each.view for each in one.review.slices} | {mask.view for mask in (edits.masks if edits else ())}
    others = (drawn_on_others(one.review, one.folder, view) or has_other_mask(one.review, one.folder, view)
              for view in views)  # fmt: skip
    return not one.review.is_older(edits) and not any(others)


def model_labels(one: Listed, view: View) -> Labels:
    """Return the model's own labels (x, y, z, t) of a view."""
    path = own_mask(one.folder, view)
    return read_codes(path, read_nifti_grid(path, view=view).shape, label_scheme(one.record, view))


def corrected_labels(one: Listed, view: View) -> Labels:
    """Return the labels (x, y, z, t) of a view with the reader's corrections in place."""
    return one.review.apply(view, model_labels(one, view), n_codes=n_label_codes(one.record, view))


def _write_case(one: Listed, case: Path) -> int:
    """Write image and labels of each corrected view; return the number of labelled frames."""
    frames = 0
    case.mkdir()
    for view in sorted({each.view for each in one.review.slices}):
        image = one.folder / image_file(view)
        kept = _only_corrected(one, view)
        shutil.copyfile(image, case / f"{view}.nii.gz")
        write_mask(kept, read_nifti_grid(image, view=view), case / f"{view}_seg.nii.gz")
        frames += int(kept.any(axis=(0, 1, 2)).sum())
    return frames


def _only_corrected(one: Listed, view: View) -> Labels:
    """Return the corrected labels, none in frames without a correction."""
    labels = corrected_labels(one, view)
    frames = {each.frame for each in one.review.slices if each.view == view}
    others = [frame for frame in range(labels.shape[3]) if frame not in frames]
    labels[..., others] = 0
    return labels
