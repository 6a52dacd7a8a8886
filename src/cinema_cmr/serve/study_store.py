"""Studies in memory, opened at their first use, and everything that changes one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, RLock
from typing import TypeVar

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_grid, write_mask
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.report.record.build import mask_file
from cinema_cmr.report.record.label_runs import from_runs
from cinema_cmr.report.record.review import now, read_review
from cinema_cmr.report.record.stored import read_run
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.serve.document import SHOWN_VALUES
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.numbers import chosen_rules
from cinema_cmr.serve.opened_study import OpenedStudy, open_study
from cinema_cmr.serve.thumbnail import thumbnail_png

__all__ = ["ChangedElsewhereError", "StudyStore"]

_KEPT = 4
"""Studies that stay in memory; each takes some 100 MB."""

T = TypeVar("T")


class ChangedElsewhereError(InputError):
    """A change of a study that was corrected elsewhere since the reader saw it: it would undo that correction."""


class StudyStore:
    """The opened studies of a library.

    A folder has one lock, which a request holds from opening the study to the end of its action: no study is ever
    open twice, and studies do not wait for each other.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._opened: OrderedDict[Path, OpenedStudy] = OrderedDict()
        self._folder_locks: dict[Path, RLock] = {}
        self._lock = Lock()
        """For the two above; held for a moment only."""
        self._thumbnails: dict[Path, tuple[StudyRecord, bytes]] = {}
        self._thumbnail_lock = Lock()
        """One picture at a time, as each reads a whole image."""

    def use(self, key: str, action: Callable[[OpenedStudy], T]) -> T:
        """Return what an action makes of a study, with the study locked; raises as `open_study` does."""
        folder = self.library.folder(key)
        with self._lock:
            lock = self._folder_locks.setdefault(folder, RLock())
        with lock:
            return action(self._study(folder))

    def thumbnail(self, key: str) -> bytes:
        """Return a small picture of a study as PNG; neither opens the study nor waits for those that are open."""
        folder = self.library.folder(key)
        record = self.library.record(folder)
        with self._thumbnail_lock:
            drawn_for, png = self._thumbnails.get(folder, (None, b""))
            if drawn_for is not record:
                png = thumbnail_png(folder, record)
                self._thumbnails[folder] = record, png
            return png

    def _study(self, folder: Path) -> OpenedStudy:
        """Return the study of a folder whose lock is held, from memory or opened anew."""
        record = self.library.record(folder)
        with self._lock:
            study = self._opened.get(folder)
        if study is None or study.record is not record or not study.is_as_stored:
            study = open_study(folder, record)
        with self._lock:
            self._opened[folder] = study
            self._opened.move_to_end(folder)
            while len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        return study

    def look_at(self, study: OpenedStudy) -> None:
        """Note the first opening of a study, and store what was taken over from the results."""
        stored, edits = read_review(study.folder), study.record.edits
        if study.review != stored or study.review.is_older(edits):
            last = edits.last_time if edits else ""
            study.review = study.review.acted("results changed elsewhere taken over", after=last)
        study.review = replace(study.review, looked_at=study.review.looked_at or now())
        if study.review != stored:
            with self._whole(study):
                self._save(study)

    def change(self, study: OpenedStudy, changes: Changes) -> None:
        """Apply a reader's changes and save them; all of them or none.

        Raises `ChangedElsewhereError` if they were made on other corrections than there are.
        """
        _check_seen(study, changes.seen)
        planes = []
        for one in changes.slices:  # everything that can be refused, before anything is changed
            view, own = study.labelled_slice(one.view, one.frame, one.slice)
            planes.append(None if one.runs is None else from_runs(one.runs, own.shape, n_codes=view.n_codes))
        for point in changes.points:
            study.check_point(point.view, point.name, point.frame)
        study.check_frames(changes.ed_frame, changes.es_frame, anew=changes.own_frames)
        study.check_basal_rule(changes.basal_rule)
        with self._whole(study):
            if changes.own_frames:
                study.review = study.review.without_frames()
                study.forget()
            study.choose_frames(changes.ed_frame, changes.es_frame)
            study.choose_basal_rule(changes.basal_rule)
            for one, plane in zip(changes.slices, planes, strict=True):
                study.change(one.view, one.frame, one.slice, plane)
            for point in changes.points:
                study.move_point(point.view, point.name, point.frame, point.place)
            study.review = study.review.acted(changes.what)
            self._save(study)

    @contextmanager
    def _whole(self, study: OpenedStudy) -> Iterator[None]:
        """Forget a study whose change failed, or could not be stored: it is opened again as it is stored."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._opened.pop(study.folder, None)
            raise

    def sign_off(self, study: OpenedStudy, *, signed: bool, seen: str | None = None) -> None:
        """Sign a study off, with its results brought up to date first; or take the sign-off back.

        Raises `ChangedElsewhereError` if there are other corrections than those that were `seen`.
        """
        _check_seen(study, seen)
        with self._whole(study):
            if signed:
                self.write_results(study)
            study.review = study.review.acted("signed off" if signed else "sign-off taken back")
            study.review = replace(study.review, signed_off=study.review.last_act if signed else None)
            self._save(study)

    def bring_up_to_date(self, study: OpenedStudy) -> None:
        """Take over and note what was changed in the results, then write them with the reader's corrections."""
        self.look_at(study)
        with self._whole(study):
            self.write_results(study)

    def write_results(self, study: OpenedStudy) -> None:
        """Bring masks, report, JSON and CSV up to date with the corrections, as `cinema remeasure` does.

        The model's own masks are kept beside them. Results that are up to date are left alone.
        """
        if study.is_in_results:
            return
        from cinema_cmr.pipeline.remeasure import Corrections, remeasure
        from cinema_cmr.report.write import write_results

        rules = chosen_rules(study.record, study.run, study.chosen)
        with TemporaryDirectory() as drafts:
            masks = _written_masks(study, Path(drafts))
            analysis = remeasure(
                study.folder, Corrections(masks=masks, rules=rules, points=study.moved_points, empty_masks=True)
            )
            write_results(analysis, study.folder, overwrite=True)
        applied: dict[str, str] = {view: file_digest(study.folder / mask_file(view)) for view in masks}
        study.review, study.changed_in_place = study.review.written(applied), False
        study.store_review()
        study.forget()
        study.record, study.run = self.library.record(study.folder), read_run(study.folder / "run.json")

    def _save(self, study: OpenedStudy) -> None:
        measured = {} if study.is_in_results else study.quick_numbers().to_dict()
        study.review = replace(study.review, values={name: measured[name] for name in SHOWN_VALUES if name in measured})
        study.save()


def _check_seen(study: OpenedStudy, seen: str | None) -> None:
    if seen is not None and seen != study.revision:
        raise ChangedElsewhereError(
            f"'{study.folder.name}' was changed in another window; expected what this one showed: look at it once more"
        )


def _written_masks(study: OpenedStudy, folder: Path) -> dict[View, Path]:
    """Write the corrected mask of each view as a file of the stored grid; return the files."""
    files = {}
    for view, opened in study.views.items():
        if opened.labels is None:
            continue
        files[view] = folder / f"{view}.nii.gz"
        grid = read_nifti_grid(study.folder / mask_file(view), view=view)
        codes = LabelMap(array=opened.as_stored(opened.labels), scheme=opened.scheme)
        write_mask(codes, grid, files[view])
    return files
