"""A model, or the masks of another program, scored on labelled studies, beside published numbers, on disk if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cinema_cmr.bench.published import compare_with_published
from cinema_cmr.data.external_masks import open_predictions, parse_codes
from cinema_cmr.evaluation.evaluate import Scored
from cinema_cmr.evaluation.evaluate import evaluate as score_model
from cinema_cmr.evaluation.evaluate import evaluate_masks as score_masks
from cinema_cmr.evaluation.record import Evaluation
from cinema_cmr.evaluation.studies import StudySource
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.report.evaluation.output import check_evaluation_folder, write_evaluation
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.registry import task_type

__all__ = ["evaluate", "evaluate_masks"]


def evaluate(
    model: LoadedModel | Path | str,
    data: Path | str,
    folder: Path | str | None = None,
    *,
    part: str = "validation",
    split: Path | str | None = None,
    device: str = "auto",
    precision: str = "auto",
    tta: int | None = None,
    together: bool = False,
    codes: Sequence[str] = (),
    overwrite: bool = False,
) -> Evaluation:
    """Score a model of any task on a part of a labelled dataset, per patient, with intervals over patients.

    `data` as in `finetune`; `part`: "train", "validation", "test" or "all"; `split`: a split file, else that of the run
    in which the model lies, else the dataset's own; `together`: predict a study's frames as one cine; `codes`: those of
    a folder's masks, e.g. ["1=lv", "2=myo", "3=rv"]. With `folder`,
    scores.json, tables and page are written there. Raises `InputError` if no study can be scored.
    """
    if folder is not None:
        check_evaluation_folder(Path(folder), overwrite=overwrite)
    loaded = model if isinstance(model, LoadedModel) else load_model(model)
    source = StudySource(
        data=str(data),
        codes=codes,
        part=part,
        split=None if split is None else Path(split),
        model=None if isinstance(model, LoadedModel) else str(model),
    )
    dataset, studies = source.read(loaded.card, labelled_only=task_type(loaded.card).needs_annotations)
    options, runtime = PredictionOptions(tta=tta, together=together), choose_runtime(device, precision)
    scored = score_model(loaded, studies, runtime, options=options, dataset=dataset, part=part)
    return _with_published(scored, folder, overwrite=overwrite)


def evaluate_masks(
    masks: Path | str,
    data: Path | str,
    folder: Path | str | None = None,
    *,
    name: str | None = None,
    mask_codes: Sequence[str] = (),
    part: str = "validation",
    split: Path | str | None = None,
    codes: Sequence[str] = (),
    overwrite: bool = False,
) -> Evaluation:
    """Score the short-axis masks of another program, NIfTI files in a folder, as `evaluate` scores those of a model.

    A file is named after its study (NAME.nii.gz or NAME_seg.nii.gz) or its frame (NAME_frameNN, from 0). `mask_codes`
    are theirs, e.g. ["1=lv", "2=myo"]; `codes` those of the reference; `name` stands for the program, by default the
    folder's. Masks that are missing or unusable are in `.not_scored`. Raises `InputError` if none can be scored.
    """
    if folder is not None:
        check_evaluation_folder(Path(folder), overwrite=overwrite)
    opened = open_predictions(masks, codes=parse_codes(mask_codes) or None)
    source = StudySource(data=str(data), codes=codes, part=part, split=None if split is None else Path(split))
    dataset, studies = source.read()
    scored = score_masks(studies, opened, name=name, dataset=dataset, part=part)
    return _with_published(scored, folder, overwrite=overwrite)


def _with_published(scored: Scored, folder: Path | str | None, *, overwrite: bool) -> Evaluation:
    """Return an evaluation beside published numbers, written to a folder if there is one."""
    evaluation = replace(scored.evaluation, published=compare_with_published(scored.evaluation))
    if folder is not None:
        write_evaluation(Path(folder), evaluation, scored.studies, overwrite=overwrite)
    return evaluation
