"""A model, or the masks of another program, scored on labelled studies, beside published numbers, on disk if wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cinema_cmr.bench.published import compare_with_published
from cinema_cmr.data.external_masks import open_predictions, parse_codes
from cinema_cmr.datasets.reading import ignore_note
from cinema_cmr.evaluation.evaluate import Scored
from cinema_cmr.evaluation.evaluate import evaluate as score_model
from cinema_cmr.evaluation.evaluate import evaluate_masks as score_masks
from cinema_cmr.evaluation.record import (
    Evaluation,
    NotScored,
    StoredEvaluation,
    compare_evaluations,
    read_evaluation,
)
from cinema_cmr.evaluation.studies import StudySource
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.pipeline.task_model import ModelLike, loaded_of, unwrapped
from cinema_cmr.report.evaluation.output import check_evaluation_folder, write_evaluation
from cinema_cmr.tasks.evaluator import PredictionOptions
from cinema_cmr.tasks.registry import task_type
from cinema_cmr.tasks.result import Result

__all__ = ["EvaluationRequest", "evaluate", "evaluate_masks"]

_MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """Data, output and listeners that evaluations of a model and of masks share."""

    data: Path | str
    """NAME:FOLDER of a dataset, or a folder of images with masks."""
    folder: Path | str | None = None
    """Folder for scores.json, tables and page; None for none."""
    part: str = "validation"
    split: Path | str | None = None
    """Split file; None for that of the run in which the model lies, else the dataset's own."""
    codes: Sequence[str] = ()
    """Codes of the masks of a folder, e.g. "1=lv"."""
    against: Path | str | None = None
    """Folder of another evaluation of the same patients, to compare with."""
    overwrite: bool = False
    note: Callable[[str], None] = ignore_note
    """Receives a message for each study that is left out, and which split is used."""
    report: Callable[[Result | NotScored], None] | None = None
    """Receives each result."""

    def __post_init__(self) -> None:
        if self.folder is not None:
            check_evaluation_folder(Path(self.folder), overwrite=self.overwrite)

    def score_model(
        self,
        model: ModelLike,
        *,
        device: str = "auto",
        precision: str = "auto",
        options: PredictionOptions | None = None,
    ) -> Scored:
        """Score a model of any task; raises `InputError` if no study can be scored."""
        other = self._other()
        given = unwrapped(model)
        loaded = loaded_of(given)
        source = self._source(given if isinstance(given, str) else None)
        labelled_only = task_type(loaded.card).needs_annotations
        dataset, studies = source.read(loaded.card, labelled_only=labelled_only, note=self.note)
        scored = score_model(
            loaded,
            studies,
            choose_runtime(device, precision),
            options=options or PredictionOptions(),
            report=self.report,
            dataset=dataset,
            part=self.part,
        )
        return _compared(scored, other)

    def score_masks(self, masks: Path | str, *, name: str | None = None, codes: Sequence[str] = ()) -> Scored:
        """Score the masks of another program, whose codes are `codes`; raises `InputError` if none can be scored."""
        other = self._other()
        opened = open_predictions(masks, codes=parse_codes(codes) or None)
        dataset, studies = self._source().read(note=self.note)
        scored = score_masks(studies, opened, name=name, report=self.report, dataset=dataset, part=self.part)
        unused = opened.unused()
        if unused:
            more = f" and {len(unused) - _MAX_NAMED} more" if len(unused) > _MAX_NAMED else ""
            self.note(f"{len(unused)} masks belong to no study of this part: {', '.join(unused[:_MAX_NAMED])}{more}")
        return _compared(scored, other)

    def write(self, scored: Scored) -> Evaluation:
        """Write an evaluation into the folder, if there is one, and return it."""
        if self.folder is not None:
            write_evaluation(Path(self.folder), scored.evaluation, scored.studies, overwrite=self.overwrite)
        return scored.evaluation

    def _other(self) -> StoredEvaluation | None:
        return None if self.against is None else read_evaluation(Path(self.against))

    def _source(self, model: str | None = None) -> StudySource:
        split = None if self.split is None else Path(self.split)
        return StudySource(data=str(self.data), codes=self.codes, part=self.part, split=split, model=model)


def evaluate(
    model: ModelLike,
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
    request = EvaluationRequest(data=data, folder=folder, part=part, split=split, codes=codes, overwrite=overwrite)
    options = PredictionOptions(tta=tta, together=together)
    return request.write(request.score_model(model, device=device, precision=precision, options=options))


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
    request = EvaluationRequest(data=data, folder=folder, part=part, split=split, codes=codes, overwrite=overwrite)
    return request.write(request.score_masks(masks, name=name, codes=mask_codes))


def _compared(scored: Scored, other: StoredEvaluation | None) -> Scored:
    """Return an evaluation beside published numbers, and beside another one where there is one."""
    evaluation = replace(scored.evaluation, published=compare_with_published(scored.evaluation))
    if other is not None:
        evaluation = replace(evaluation, against=compare_evaluations(evaluation, other))
    return replace(scored, evaluation=evaluation)
