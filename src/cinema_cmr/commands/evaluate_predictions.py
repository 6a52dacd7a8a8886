"""`cinema evaluate --predictions`: masks that another program made, scored as a model's are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.evaluate_output import patient_line, read_other_evaluation, tell_evaluation
from cinema_cmr.commands.evaluate_studies import read_part

__all__ = ["add_prediction_options", "run_predictions"]

_UNUSABLE = 3
"""Exit code where a mask is there and cannot be taken: an error to mend, unlike a mask that is not there."""
_NAMED = 5


def add_prediction_options(parser: ArgumentParser) -> None:
    """Where the masks lie and what their codes mean."""
    parser.add_argument(
        "--predictions",
        help="folder of masks (NIfTI) instead of a model: NAME.nii.gz or NAME_seg.nii.gz a study, or one a labelled"
        " frame (NAME_frameNN, or as nnU-Net names them after `cinema datasets export-nnunet`)",
    )
    parser.add_argument(
        "--codes", nargs="+", default=[], help="what the masks' codes mean, e.g. 1=lv 2=myo 3=rv; ours where absent"
    )
    parser.add_argument("--name", help="what to call the predictions in the tables; the folder's name where absent")


def run_predictions(given: Namespace, console: Console) -> int:
    """Score every study that has a mask, list those that have none; 3 where a mask cannot be taken or none is there."""
    from cinema_cmr.data.external_masks import open_predictions, parse_codes
    from cinema_cmr.evaluation.external import evaluate_predictions

    predictions = open_predictions(Path(given.predictions), codes=parse_codes(given.codes) or None)
    read_other_evaluation(given.against)
    studies = read_part(given, console)
    scored, left = evaluate_predictions(studies, predictions, report=lambda result: console.note(_line(result)))
    _tell_unused(predictions.unused(), console)
    about = {"model": given.name or predictions.name, "not_scored": [asdict(row) for row in left]}
    tell_evaluation(given, console, [study for study, _ in scored], [score for _, score in scored], about)
    return _UNUSABLE if any(row.status == "unusable" for row in left) else 0


def _line(result: Any) -> str:
    return f"{result.status}: {result.study}: {result.why}" if hasattr(result, "status") else patient_line(result)


def _tell_unused(names: list[str], console: Console) -> None:
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        console.note(f"{len(names)} masks belong to no study of this part: {', '.join(names[:_NAMED])}{more}")
