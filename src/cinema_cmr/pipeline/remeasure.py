"""Finished results measured again: with corrected masks, other frames or other rules; no model runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.analysis import Analysis, NormalRange
from cinema_cmr.core.edits import EditedSlice, Edits, EditStep, MaskEdit, MovedPoint, PointEdit, RuleChange
from cinema_cmr.core.errors import InputError, unknown_name
from cinema_cmr.core.results import DiseaseClassification, Flag, Measurements, Prediction
from cinema_cmr.core.run_facts import OptionValue, Stopwatch, installed_version
from cinema_cmr.core.study import Study, Subject
from cinema_cmr.core.vocabulary import View
from cinema_cmr.disease.model import load_disease_model
from cinema_cmr.disease.study_classification import classify_study
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES, ranges_of_rule
from cinema_cmr.pipeline.moved_points import move_points
from cinema_cmr.pipeline.restored_parts import (
    complete_options,
    measure_again,
    stored_options,
    stored_prediction,
    stored_run_facts,
)
from cinema_cmr.pipeline.results_folder import Labels, StoredResults, read_results
from cinema_cmr.report.record.build import image_file, mask_file, model_mask_file

__all__ = ["Corrections", "paths_by_view", "remeasure"]

_SUBJECT = {f"given_{field.name}": field.name for field in fields(Subject)}
_RULES = {field.name for field in fields(MeasureOptions)}


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What is to change in finished results."""

    masks: Mapping[View, Path] = field(default_factory=dict)
    """View -> file of the corrected mask; a mask that was changed in place is found by itself."""
    rules: Mapping[str, OptionValue] = field(default_factory=dict)
    """Fields of `MeasureOptions` and `Subject` with their new values."""
    find_frames: bool = False
    """Find ED and ES on the curves again, in place of frames that were given."""
    images: Mapping[View, Path] = field(default_factory=dict)
    """View -> image for the report, where it is not in the results."""
    points: tuple[MovedPoint, ...] = ()
    """Long-axis landmarks that were moved, or are to be the model's own again."""
    empty_masks: bool = False
    """Take a mask of which every label was removed, as by a reader who rejects a view slice by slice."""
    normal_ranges: tuple[NormalRange, ...] | None = None
    """Table of reference ranges; None for that of the run, if it was the bundled one."""

    def __post_init__(self) -> None:
        known = _RULES | set(_SUBJECT.values())
        for name in self.rules:
            if name not in known:
                raise unknown_name("option", name, known)


def remeasure(results: Path | str, corrections: Corrections, *, now: datetime | None = None) -> Analysis:
    """Measure finished results again, and record what differs from the model's own run (`Analysis.edits`).

    Raises `InputError` for a mask of a view that the results lack, and as `read_results` and `StoredResults.labels` do;
    `UsageError` for a rule or a frame that cannot be.
    """
    watch = Stopwatch()
    with watch.stage("remeasure"):
        stored = read_results(results, corrections.images)
        files = _mask_files(stored, corrections.masks)
        labels = {view: _labels(stored, view, path, empty=corrections.empty_masks) for view, path in files.items()}
        record = stored.record
        predictions = {one.view: stored_prediction(one, labels[one.view], record) for one in record.predictions}
        options, subject = _options(stored, corrections)
        _check_image(stored, options)
        study = replace(stored.study, subject=subject)
        landmarks, points = move_points(stored.record, corrections.points)
        run_options = _run_options(stored, corrections, options)
        edits = _edits(stored, labels, files, points, run_options, now=now or datetime.now(UTC))
        corrected = edits is not None and bool(edits.masks)
        measured = measure_again(study, predictions, options, stored.record, landmarks=landmarks, corrected=corrected)
        measured = replace(
            measured,
            flags=(*measured.flags, *_edit_flags(edits, measured)),
            classification=_classification(stored, study, predictions.get(View.SAX), measured),
        )
    facts = stored_run_facts(stored.run)
    return Analysis(
        study=study,
        predictions=predictions,
        measurements=measured,
        run=replace(facts, options=run_options, seconds={**facts.seconds, **watch.seconds}),
        landmarks=landmarks,
        normal_ranges=_normal_ranges(stored, corrections.normal_ranges, options),
        edits=edits,
        files=_kept_files(stored, files),
    )


def paths_by_view(files: Path | str | Mapping[View | str, Path | str]) -> dict[View, Path]:
    """Return view -> file of a mapping by view or its name; one file alone is of the short axis."""
    by_view = {View.SAX: files} if isinstance(files, str | Path) else files
    return {View.parse(view): Path(file) for view, file in by_view.items()}


def _mask_files(stored: StoredResults, given: Mapping[View, Path]) -> dict[View, Path]:
    """Return the file of each view's mask: a corrected one, or that of the results."""
    views = [one.view for one in stored.record.predictions]
    for view in given:
        if view not in views:
            raise InputError(
                f"a mask of the {view.title} view was given, of which '{stored.folder.name}' has none; expected one of:"
                f" {', '.join(views) or 'none'}"
            )
    return {view: Path(given.get(view, stored.folder / mask_file(view))) for view in views}


def _labels(stored: StoredResults, view: View, path: Path, *, empty: bool) -> Labels:
    """Read a mask; one without any label is refused where it is new, and neither may be empty nor is so by the model.

    The empty mask of results that were measured with it, as of a view that a reader rejected, stays.
    """
    labels = stored.labels(view, path)
    is_new = path != stored.folder / mask_file(view) or stored.is_changed(view)
    if is_new and not empty and not labels.any() and stored.labels(view, stored.model_mask(view)).any():
        raise InputError(f"'{path.name}' holds no label at all; expected a segmentation: save it again")
    return labels


def _options(stored: StoredResults, corrections: Corrections) -> tuple[MeasureOptions, Subject]:
    given = corrections.rules
    found = {"ed_frame": None, "es_frame": None} if corrections.find_frames else {}
    rules = {**asdict(stored_options(stored.run)), **found, **{k: v for k, v in given.items() if k in _RULES}}
    facts = {name: value for name, value in given.items() if name not in _RULES}
    return MeasureOptions(**rules), Subject(**facts).fill_from(stored.record.subject)  # type: ignore[arg-type]


def _check_image(stored: StoredResults, options: MeasureOptions) -> None:
    """Raise `InputError` for a rule that measures in the image, where only the grid is at hand."""
    stack = View.SAX in stored.grids and stored.study[View.SAX]
    if options.papillary_rule == "mass" and stack and not stack.has_image:
        raise InputError(
            f"the rule papillary_rule=mass finds the muscle in the image, which '{stored.folder.name}' lacks; expected"
            f" {image_file(View.SAX)}: give the image with --image FILE, or --papillary-rule blood"
        )


def _run_options(stored: StoredResults, corrections: Corrections, options: MeasureOptions) -> dict[str, OptionValue]:
    """Return the options as run.json has them, subject data as `given_...`."""
    facts = {f"given_{name}": value for name, value in corrections.rules.items() if name not in _RULES}
    return {**complete_options(stored.run.options), **asdict(options), **facts}


def _edits(
    stored: StoredResults,
    labels: Mapping[View, Labels],
    files: Mapping[View, Path],
    points: tuple[PointEdit, ...],
    options: Mapping[str, OptionValue],
    *,
    now: datetime,
) -> Edits | None:
    """Return all differences from the model's run, with this call as a step if it changed anything."""
    earlier = stored.record.edits
    before = complete_options(stored.run.options)
    first = before if earlier is None else complete_options(earlier.model_options(before))
    digests = {str(view): _replaced(stored, view, files[view], labels[view]) for view in labels}
    replaced = {view: digest for view, digest in digests.items() if digest is not None}
    changed = tuple(name for name in options if options[name] != before.get(name))
    step = EditStep(
        time=now.astimezone(UTC).isoformat(timespec="seconds"),
        version=installed_version("cinema-cmr"),
        replaced_masks=replaced,
        rules=changed,
        points=_n_moved(earlier.points if earlier else (), points),
    )
    is_step = step.replaced_masks or step.rules or step.points
    steps = (*(earlier.steps if earlier else ()), *([step] if is_step else ()))
    if not steps:
        return None
    rules = (RuleChange(name=name, model=first.get(name), now=options[name]) for name in options)
    masks = (_mask_edit(stored, view, labels[view]) for view in labels)
    values = {one.name: one.value for one in stored.record.measurements}
    return Edits(
        masks=tuple(edit for edit in masks if edit is not None),
        points=points,
        rules=tuple(rule for rule in rules if rule.model != rule.now),
        steps=steps,
        model_values=earlier.model_values if earlier else values,
    )


def _n_moved(before: tuple[PointEdit, ...], now: tuple[PointEdit, ...]) -> int:
    """Return the number of points that lie elsewhere than before."""
    places = [{edit.key: edit.now_ras_mm for edit in edits} for edits in (before, now)]
    return sum(places[0].get(key) != places[1].get(key) for key in {*places[0], *places[1]})


def _replaced(stored: StoredResults, view: View, file: Path, labels: Labels) -> str | None:
    """Return the hash of the mask that another one replaces; None where the labels stay."""
    current = stored.folder / mask_file(view)
    if file == current:
        return stored.written(view) if stored.is_changed(view) else None
    if not stored.is_changed(view) and np.array_equal(labels, stored.labels(view, current)):
        return None
    return stored.written(view) or file_digest(current)


def _mask_edit(stored: StoredResults, view: View, labels: Labels) -> MaskEdit | None:
    own = stored.model_mask(view)
    voxels = _differing(labels, stored.labels(view, own))
    places = np.argwhere(voxels.T)
    if not len(places):
        return None
    return MaskEdit(
        view=view,
        frames=tuple(sorted({int(t) for t, _ in places})),
        slices=tuple(EditedSlice(frame=int(t), slice=int(z), voxels=int(voxels[z, t])) for t, z in places),
        model_mask=model_mask_file(view),
        model_mask_sha256=file_digest(own),
    )


def _differing(labels: Labels, own: Labels) -> NDArray[np.int64]:
    """Return the (z, t) number of voxels with another code."""
    return np.asarray(np.count_nonzero(labels != own, axis=(0, 1)), dtype=np.int64)


def _edit_flags(edits: Edits | None, measured: Measurements) -> tuple[Flag, ...]:
    """Return notes on corrected masks and landmarks, and warnings of corrected frames that are no longer ED or ES."""
    if edits is None:
        return ()
    moved = () if not edits.points else (_points_flag(edits.points),)
    if not edits.masks:
        return moved
    flag = Flag(
        code="masks-edited",
        severity="info",
        message="masks were corrected by a reader",
        evidence={f"{edit.view}_frames": len(edit.frames) for edit in edits.masks},
    )
    corrected = next((set(edit.frames) for edit in edits.masks if edit.view is View.SAX), set())
    return (flag, *moved, *_moved_frames(edits, measured, corrected))


def _points_flag(points: tuple[PointEdit, ...]) -> Flag:
    return Flag(
        code="landmarks-edited",
        severity="info",
        message="landmarks were moved by a reader",
        evidence={f"{view}_points": sum(one.view == view for one in points) for view in {one.view for one in points}},
    )


def _moved_frames(edits: Edits, measured: Measurements, corrected: set[int]) -> Iterator[Flag]:
    """Yield a warning where ED or ES moved from a corrected frame to one that the reader left alone.

    The curve of a mask that is corrected in ED and ES alone has steps there, so that its extremes may lie elsewhere.
    """
    for ventricle, phase in product(("lv", "rv"), ("ed", "es")):
        name = f"{ventricle}_{phase}_frame"
        before, after = edits.model_values.get(name), measured[name].value if name in measured else None
        if before is not None and after is not None and before in corrected and after not in corrected:
            yield Flag(
                code="corrected-frame-unused",
                severity="warning",
                message=f"{phase.upper()} of the {ventricle.upper()} moved from the corrected frame {before:.0f} to"
                f" frame {after:.0f}, which is the model's: correct that too, or set {phase.upper()} to frame"
                f" {before:.0f} (--{phase}-frame {before:.0f})",
                evidence={"ventricle": ventricle.upper(), "corrected_frame": int(before), "frame": int(after)},
            )


def _classification(
    stored: StoredResults, study: Study, stack: Prediction | None, measured: Measurements
) -> DiseaseClassification | None:
    """Classify the new numbers, if the run did and its model is the bundled one."""
    disease = stored.record.disease
    if disease is None:
        return None
    model = load_disease_model()
    if model.sha256 == stored.run.options.get("disease_sha256"):
        return classify_study(study, stack, measured, model)
    reason = "the measurements were made again without the disease model of the run, which is not the bundled one"
    return DiseaseClassification(reason=reason, model=disease.model, notice=disease.notice)


def _normal_ranges(
    stored: StoredResults, given: tuple[NormalRange, ...] | None, options: MeasureOptions
) -> tuple[NormalRange, ...]:
    """Return the table given, or the bundled one if the run had that; a table of the user's own is not stored."""
    if given is None and stored.run.options.get("normal_ranges_sha256"):
        return ()
    return ranges_of_rule(NORMAL_RANGES if given is None else given, options.papillary_rule)


def _kept_files(stored: StoredResults, files: Mapping[View, Path]) -> dict[str, Path]:
    """Return the files that are copied as they are: images, the model's own masks, and masks without a change."""
    kept = {}
    for view, file in files.items():
        kept[model_mask_file(view)] = stored.model_mask(view)
        if file == stored.folder / mask_file(view) and not stored.is_changed(view):
            kept[mask_file(view)] = file
    for cine in stored.study.cines:
        image = stored.folder / image_file(cine.view)
        if image.exists():
            kept[image_file(cine.view)] = image
    return kept
