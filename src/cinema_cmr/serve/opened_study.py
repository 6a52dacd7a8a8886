"""One study opened for reading and correcting; its review is saved after every change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.edits import MovedPoint
from cinema_cmr.core.errors import InputError, MissingFileError, UnknownNameError
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.run_facts import OptionValue
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.measure.volumes import BasalRule
from cinema_cmr.pipeline.moved_points import check_point
from cinema_cmr.pipeline.restored_parts import stored_measurements, stored_options
from cinema_cmr.pipeline.results_folder import is_mask_changed
from cinema_cmr.report.record.build import image_file, mask_file, model_mask_file
from cinema_cmr.report.record.review import REVIEW_FILE, Review, Stamp, read_review, review_stamp, write_review
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.stored import read_run
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.serve.numbers import (
    FRAMES,
    CountedStack,
    chosen_rules,
    count_stack,
    follows_landmarks,
    measure_all,
    measure_stack,
    model_rules,
    result_rules,
)
from cinema_cmr.serve.opened_view import OpenedView, open_view, read_codes
from cinema_cmr.serve.own_masks import drawn_on_others, has_other_mask, own_mask
from cinema_cmr.serve.reader_points import moved_points, take_points

__all__ = ["OpenedStudy", "open_study", "open_views"]

Labels = NDArray[np.uint8]

_HASH_BITS = (1 << 64) - 1


@dataclass(kw_only=True)
class OpenedStudy:
    """A study in memory, for one request at a time."""

    folder: Path
    record: StudyRecord
    run: RunRecord
    views: Mapping[View, OpenedView]
    review: Review
    measured: Measurements | None = None
    """All numbers of the labels as they are; None before they were measured."""
    quick: Measurements | None = None
    """Those of the stack alone; None before they were measured."""
    counted: CountedStack | None = None
    """Volumes of the stack's labels, which a moved landmark or another frame leaves alone; None before."""
    changed_in_place: bool = False
    """Whether a mask of the results was changed by an editor, and not measured since."""
    stamp: Stamp | None = None
    """That of the stored review when it was read or written."""
    digests: dict[View, str] = field(default_factory=dict)
    """View -> hash of the model's mask."""

    def view(self, name: str) -> OpenedView:
        """Return a view; raises `UnknownNameError` for one without images."""
        for view, opened in self.views.items():
            if view == name:
                return opened
        raise UnknownNameError(f"the study has no images of the view '{name}'; known: {', '.join(self.views)}")

    def slice_of(self, name: str, index: int) -> OpenedView:
        """Return a view that has a slice of this index; raises `InputError` without one."""
        view = self.view(name)
        if not 0 <= index < view.cine.n_slices:
            raise InputError(f"slice {index} of the view '{name}'; expected 0 to {view.cine.n_slices - 1}")
        return view

    def labelled_slice(self, name: str, frame: int, index: int) -> tuple[OpenedView, Labels]:
        """Return a view whose labels can be changed there, and the model's own labels (x, y) of the slice.

        Raises `UnknownNameError` for a view without images, `InputError` for a view without a mask, and for a slice or
        a frame that it does not have.
        """
        view = self.slice_of(name, index)
        if view.own is None:
            raise InputError(f"the view '{name}' has no mask; expected a segmented view")
        if not 0 <= frame < view.cine.n_frames:
            raise InputError(f"frame {frame} of the view '{name}'; expected 0 to {view.cine.n_frames - 1}")
        return view, view.own[:, :, index, frame]

    def change(self, name: str, frame: int, index: int, codes: NDArray[np.uint8] | None) -> None:
        """Give a slice other labels (x, y), as shown, or the model's own for None; equal ones are no correction."""
        view, own = self.labelled_slice(name, frame, index)
        assert view.labels is not None  # as it has labels of the model
        changed = own if codes is None else codes
        view.labels[:, :, index, frame] = changed
        view.include(changed)
        stored = None if np.array_equal(changed, own) else view.as_stored(changed)
        self.review = self.review.with_slice(view.cine.view, frame, index, stored)
        self.counted = None
        self.forget()

    @property
    def is_cine(self) -> bool:
        """Whether it has a cycle, with ED, ES and a base; a late-enhancement image has none."""
        return self.record.study.modality == "cine"

    @property
    def moved_points(self) -> tuple[MovedPoint, ...]:
        """Landmarks that lie elsewhere than in the results: moved here, or taken back to the model's own."""
        return moved_points(self.record, self.review)

    def move_point(self, name: str, point: str, frame: int, place: tuple[float, float] | None) -> None:
        """Give a landmark of a view another place (x, y of the picture), or the model's own for None.

        Raises as `check_point`.
        """
        self.check_point(name, point, frame)
        view = self.view(name)
        position = None if place is None else view.position_of(*place)
        self.review = self.review.with_point(view.cine.view, point, frame, position)
        if follows_landmarks(self.record, self.run, self.chosen):
            self.counted = None
        self.forget()

    def check_point(self, name: str, point: str, frame: int) -> None:
        """Raise `UnknownNameError` for a view without images or a landmark that does not exist, and `InputError` for a
        frame that it lacks or a view without landmarks.
        """
        check_point(self.record, self.view(name).cine.view, point, frame)

    def save(self) -> None:
        """Write the review, with the hash of each mask that was corrected."""
        corrected = sorted({one.view for one in self.review.slices})
        for view in corrected:
            if view not in self.digests:
                self.digests[view] = file_digest(own_mask(self.folder, view))
        self.review = replace(self.review, mask_sha256={view: self.digests[view] for view in corrected})
        self.store_review()

    def store_review(self) -> None:
        """Write the review as it is."""
        write_review(self.review, self.folder)
        self.stamp = review_stamp(self.folder)

    @property
    def is_as_stored(self) -> bool:
        """Whether the stored review is the one in memory, and not a later one of another server."""
        return self.stamp == review_stamp(self.folder)

    @property
    def revision(self) -> str:
        """Name of what a reader corrected: equal, as long as this process runs, for equal labels, landmarks and rules.

        Neither opening the study nor writing its results changes it.
        """
        review = self.review
        slices = frozenset((one.view, one.frame, one.slice, one.runs) for one in review.slices)
        points = frozenset((one.key, one.position_ras_mm) for one in review.points)
        # Python's own hash, as it takes a millisecond where all slices are corrected, and each stroke needs two.
        return f"{hash((slices, points, review.ed_frame, review.es_frame, self.basal_rules[0])) & _HASH_BITS:016x}"

    def numbers(self) -> Measurements:
        """Return all measurements of the labels as they are, by the rules of the run and the chosen frames."""
        if self.is_in_results:
            return stored_measurements(self.record)
        if self.measured is None:
            parts = {name: self._part(view) for name, view in self.views.items() if view.labels is not None}
            self.measured = measure_all(
                self.record, self.run, parts, self.chosen, self.moved_points, corrected=bool(self.review.slices)
            )
        return self.measured

    @property
    def is_in_results(self) -> bool:
        """Whether the results hold everything as it is, the model's run or corrected: their numbers stand."""
        edits, review = self.record.edits, self.review
        written = {(mask.view, one.frame, one.slice) for mask in (edits.masks if edits else ()) for one in mask.slices}
        return (
            not self.changed_in_place
            and all(one.in_results for one in review.slices)
            and {(one.view, one.frame, one.slice) for one in review.slices} == written
            and not self.moved_points
            and chosen_rules(self.record, self.run, self.chosen) == result_rules(self.run)
        )

    def quick_numbers(self) -> Measurements:
        """Return volumes, function and mass of the stack at once; everything else is in `numbers`."""
        stack = self.views.get(View.SAX)
        if self.is_in_results or self.measured is not None or stack is None or stack.labels is None or not self.is_cine:
            return self.numbers()
        if self.quick is None:
            if self.counted is None:
                self.counted = count_stack(self.record, self.run, self._part(stack), self.chosen, self.moved_points)
            self.quick = measure_stack(self.record, self.run, self.counted, self.chosen, self.moved_points)
        return self.quick

    def forget(self) -> None:
        """Measure again at the next question: labels, landmarks or frames have changed."""
        self.measured = self.quick = None

    @property
    def n_frames(self) -> int:
        """Number of frames that ED and ES are chosen from: those of the stack, where there is one."""
        stack = self.views.get(View.SAX)
        return stack.cine.n_frames if stack else max(view.cine.n_frames for view in self.views.values())

    def choose_frames(self, ed: int | None, es: int | None) -> None:
        """Let ED or ES be another frame of the stack, or of the only views; None leaves it as it is.

        Raises as `check_frames`.
        """
        self.check_frames(ed, es)
        self.review = replace(self.review.with_frames({"ed_frame": ed, "es_frame": es}), signed_off=None)
        self.forget()

    @property
    def basal_rules(self) -> tuple[str, str]:
        """The basal rule of the numbers as they are, and that of the model's run."""
        present = chosen_rules(self.record, self.run, self.chosen)["basal_rule"]
        return str(present), str(model_rules(self.record, self.run)["basal_rule"])

    def choose_basal_rule(self, rule: BasalRule | None) -> None:
        """Count basal blood by another rule; None leaves it as it is. Raises as `check_basal_rule`."""
        self.check_basal_rule(rule)
        if rule is None or rule == self.basal_rules[0]:
            return
        stored = None if rule == result_rules(self.run)["basal_rule"] else rule
        self.review = replace(self.review, basal_rule=stored, signed_off=None)
        self.counted = None
        self.forget()

    def check_basal_rule(self, rule: BasalRule | None) -> None:
        """Raise `InputError` for a basal rule of a late-enhancement study."""
        if rule is not None and not self.is_cine:
            raise InputError("basal rule of a late-enhancement study; expected that of a cine: leave it out")

    def check_frames(self, ed: int | None, es: int | None, *, anew: bool = False) -> None:
        """Raise `InputError` for an ED or ES frame that cannot be, or of a study without phases.

        `anew`: the frames that the reader chose before are taken back first.
        """
        given = {"ed_frame": ed, "es_frame": es}
        for frame in (one for one in given.values() if one is not None):
            if not self.is_cine:
                raise InputError("ED or ES of a late-enhancement study; expected those of a cine: leave them out")
            if not 0 <= frame < self.n_frames:
                raise InputError(f"frame {frame}; expected 0 to {self.n_frames - 1}")
        review = (self.review.without_frames() if anew else self.review).with_frames(given)
        frames = chosen_rules(self.record, self.run, review.chosen)
        if _is_one_frame(frames):
            raise InputError(f"frame {frames['ed_frame']} is ED and ES; expected two frames: move the other one first")

    def _part(self, view: OpenedView) -> tuple[Cine, LabelMap]:
        # The rule "mass" finds the papillary muscles in the image; all others measure labels alone.
        return view.measured_part(with_image=stored_options(self.run).papillary_rule == "mass")

    @property
    def chosen(self) -> Mapping[str, OptionValue]:
        """Frames and basal rule as the reader chose them."""
        return self.review.chosen


def _take_over(study: OpenedStudy, view: View, others: Labels, labels: tuple[Labels, Labels]) -> None:
    """Take over slices of another program's mask, all of the stored grid; `labels` are the model's and the corrected.

    A slice that was drawn here since the results were last changed stays as it is drawn. Of any other, the mask of the
    results is the later state: its labels are taken over, also where they are the model's again.
    """
    own, corrected = labels
    step = study.record.edits.last_time if study.record.edits else ""
    drawn = {(one.slice, one.frame): one for one in study.review.slices if one.view == view}
    differs = np.any(others != own, axis=(0, 1))
    for index, frame in sorted({*drawn, *((int(z), int(t)) for z, t in np.argwhere(differs))}):
        one, plane = drawn.get((index, frame)), others[:, :, index, frame]
        if np.array_equal(corrected[:, :, index, frame], plane):
            continue
        if one is not None and not one.in_results and (one.changed >= step or not differs[index, frame]):
            continue
        corrected[:, :, index, frame] = plane
        taken = plane if differs[index, frame] else None
        study.review = study.review.with_slice(view, frame, index, taken, in_results=True)


def open_views(folder: Path, record: StudyRecord) -> Iterator[OpenedView]:
    """Yield each view of results that has images, with the model's labels, the stack first.

    Raises `MissingFileError` for results without images.
    """
    masked = {one.view for one in record.predictions}
    images = {view: folder / image_file(view) for view in View}
    found = [view for view, path in images.items() if path.is_file()]
    if not found:
        raise MissingFileError(
            f"'{folder.name}' holds no images; expected {image_file(View.SAX)} beside the masks: analyse the study with"
            " this server, or by `cinema analyse` with images"
        )
    heart = None
    for view in found:
        mask = own_mask(folder, view) if view in masked else None
        opened = open_view(images[view], view, mask, record, heart_mm=heart)
        heart = opened.heart_mm if view is View.SAX else heart
        yield opened


def open_study(folder: Path, record: StudyRecord) -> OpenedStudy:
    """Open results with their images; raises `MissingFileError` for results without images."""
    run = read_run(folder / "run.json")
    views = {one.cine.view: one for one in open_views(folder, record)}
    stamp = review_stamp(folder)
    study = OpenedStudy(folder=folder, record=record, run=run, views=views, review=read_review(folder), stamp=stamp)
    for view, opened in views.items():
        _take_corrections(study, view, opened)
    study.review = take_points(record, study.review)
    _take_frames(study)
    return study


def _take_frames(study: OpenedStudy) -> None:
    """Take over the frames that `cinema remeasure` was given after the reader's last act; a sign-off ends with it.

    A frame that those calls left alone stays as the reader chose it, unless ED and ES would be one.
    """
    edits, own, review = study.record.edits, model_rules(study.record, study.run), study.review
    if edits is None or not review.is_older(edits):
        return
    given = {name: study.run.options.get(name) for name in FRAMES}
    later = {name: one if isinstance(one, int) and one != own[name] else None for name, one in given.items()}
    rule = None if "basal_rule" in edits.rules_since(review.last_act) else review.basal_rule
    changed = edits.rules_since(review.last_act)
    frames = {name: later[name] if name in changed else getattr(review, name) for name in FRAMES}
    if _is_one_frame(chosen_rules(study.record, study.run, frames)):
        frames = later
    signed = review.signed_off if (review.signed_off or "") >= edits.last_time else None
    chosen = replace(review, ed_frame=frames["ed_frame"], es_frame=frames["es_frame"], basal_rule=rule)
    study.review = replace(chosen, signed_off=signed)


def _is_one_frame(frames: Mapping[str, OptionValue]) -> bool:
    """Whether ED and ES are the same frame."""
    ed, es = (frames[name] for name in FRAMES)
    return ed is not None and ed == es


def _take_corrections(study: OpenedStudy, view: View, opened: OpenedView) -> None:
    """Apply the stored corrections, and take over those that another program made in the mask."""
    if opened.own is None:
        return
    if drawn_on_others(study.review, study.folder, view):
        raise InputError(
            f"{REVIEW_FILE} of '{study.folder.name}' corrects other masks of the {view.title} view; expected those of"
            f" {model_mask_file(view)}: move {REVIEW_FILE} away to begin anew"
        )
    study.changed_in_place |= is_mask_changed(study.folder, study.run, view)
    others = has_other_mask(study.review, study.folder, view)
    if not others and not any(one.view == view for one in study.review.slices):
        return  # the labels are the model's own
    stored = opened.as_stored(opened.own)
    corrected = study.review.apply(view, stored, n_codes=opened.n_codes)
    if others:
        present = study.folder / mask_file(view)
        _take_over(study, view, read_codes(present, stored.shape, opened.scheme), (stored, corrected))
        # Once: what the reader takes back to the model's labels afterwards stays so at the next opening.
        study.review = study.review.brought_together(view, file_digest(present))
    opened.labels = np.ascontiguousarray(opened.as_shown(corrected))
    opened.include(np.asarray(opened.labels.max(axis=(2, 3))))
