"""One mask per image, on the image's own grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cinema_cmr.core.choices import StudyChoices
from cinema_cmr.core.results import Flag, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.modality import modality_flags
from cinema_cmr.inference.predictor import predict_study
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.provenance import input_digest, mask_note
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.quality.checks import issue_flags
from cinema_cmr.measure.quality.masks import fov_flags

__all__ = ["mask_origin", "segment_to_file"]


def segment_to_file(
    source: Study | Path | str,
    path: Path | str,
    *,
    segmenter: Segmenter,
    overwrite: bool = False,
    warn: Callable[[Flag], None] | None = None,
    choices: StudyChoices | None = None,
) -> Mapping[View, Prediction]:
    """Segment an image and write its mask to `path` as uint8, on the image's own grid.

    `choices` are the user's decisions on series. `warn` is called with each flag: an image of another modality than the
    model's, a model that is not for measuring, a heart that exceeds the model's field of view, short-axis slices left
    out, or frames that are not in phase; the mask is written all the same. If the source holds several views of the
    model, the view's name is put before the suffix. The header names input and model by their hashes (`mask_origin`).
    """
    study = source if isinstance(source, Study) else read_study(source, choices=choices)
    note = "" if isinstance(source, Study) else mask_origin(source, segmenter, choices)
    predictions = predict_study(study, segmenter)
    for view, prediction in predictions.items():
        target = Path(path) if len(predictions) == 1 else _with_view(Path(path), view)
        write_mask(prediction.labels, study[view], target, note=note, overwrite=overwrite)
    if warn is not None:
        for flag in (
            *modality_flags(study, predictions.values(), segmenter.card),
            *segmenter.model_flags(),
            *fov_flags(predictions.values()),
            *(flag for flag in issue_flags(study) if flag.severity == "error" or flag.code == "short-axis-left-out"),
        ):
            warn(flag)
    return predictions


def mask_origin(source: Path | str, segmenter: Segmenter, choices: StudyChoices | None = None) -> str:
    """Return the NIfTI `descrip` of a mask: hashes of input, model and decisions on series, and settings.

    Raises `InputError` for a source that cannot be read.
    """
    return mask_note(
        input_sha256=input_digest(source),
        model_sha256=segmenter.card.weights_sha256 or "",
        options=segmenter.inference_settings + (f" series {choices.digest[:8]}" if choices else ""),
    )


def _with_view(path: Path, view: View) -> Path:
    return path.with_name(path.name.replace(".nii", f"_{view}.nii", 1))
