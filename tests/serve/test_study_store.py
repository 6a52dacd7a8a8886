"""The store keeps a few studies open, and a change is stored whole or not at all."""

from __future__ import annotations

import csv
import errno
import io
import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_grid, write_mask
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.record.review import read_review
from cinema_cmr.report.record.stored import read_measurements, read_run
from cinema_cmr.report.record.study_record import StudyRecord
from cinema_cmr.report.write import write_results
from cinema_cmr.serve.collection.exports import list_csv, values_of
from cinema_cmr.serve.document import numbers_of
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.opened_study import OpenedStudy
from cinema_cmr.serve.opened_view import read_codes
from cinema_cmr.serve.study_store import StudyStore

pytestmark = pytest.mark.medium


@pytest.fixture(autouse=True)
def _no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))


def test_a_few_studies_stay_open(template: Path, tmp_path: Path) -> None:
    for number in range(6):
        shutil.copytree(template, tmp_path / str(number))
    store = StudyStore(Library([tmp_path]))
    keys = [one.key for one in store.library.listed()]
    studies = [store.use(key, lambda study: study) for key in keys]
    assert store.use(keys[-1], lambda study: study) is studies[-1]
    assert store.use(keys[0], lambda study: study) is not studies[0]


def erasing(store: StudyStore, index: int) -> Callable[[OpenedStudy], None]:
    """An action that empties a slice of the first frame."""
    given = {"slices": [{"view": "sax", "frame": 0, "slice": index, "runs": [0, 56 * 46]}]}
    return lambda study: store.change(study, Changes.model_validate(given))


def test_a_study_that_is_no_longer_kept_loses_no_stroke(template: Path, tmp_path: Path) -> None:
    """While a stroke is in work, five other studies are opened, and another stroke on the same study arrives."""
    for number in range(6):
        shutil.copytree(template, tmp_path / str(number))
    store = StudyStore(Library([tmp_path]))
    first, *others = [one.key for one in store.library.listed()]
    started, others_opened = Event(), Event()

    def slowly(study: OpenedStudy) -> None:
        started.set()
        assert others_opened.wait(30)
        erasing(store, 2)(study)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(store.use, first, slowly)
        assert started.wait(30)
        for key in others:  # of which none waits for the first
            store.use(key, lambda study: None)
        two = pool.submit(store.use, first, erasing(store, 3))
        time.sleep(0.3)
        others_opened.set()
        one.result(), two.result()
    assert sorted(one.slice for one in read_review(store.library.folder(first)).slices) == [2, 3]


def test_thumbnails_and_strokes_do_not_wait_for_each_other(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    drawn = store.use(key, lambda study: store.thumbnail(key))
    assert drawn.startswith(b"\x89PNG")
    with ThreadPoolExecutor(1) as pool:
        inside = store.use(key, lambda study: pool.submit(store.thumbnail, key).result(timeout=30))
    assert inside is drawn  # while the study is locked, and not drawn again
    started, end = Event(), Event()

    def slow(folder: Path, record: StudyRecord) -> bytes:
        started.set()
        assert end.wait(30)
        return b"slow"

    monkeypatch.setattr("cinema_cmr.serve.study_store.thumbnail_png", slow)
    again = StudyStore(Library([results]))
    with ThreadPoolExecutor(1) as pool:
        picture = pool.submit(again.thumbnail, key)
        assert started.wait(30)
        again.use(key, erasing(again, 2))
        end.set()
        assert picture.result() == b"slow"


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_changes_of_a_view_without_a_mask_are_refused_whole(results: Path) -> None:
    """As for a 4-chamber view that no model segmented."""
    record = json.loads((results / "measurements.json").read_text())
    record["predictions"] = [one for one in record["predictions"] if one["view"] == "sax"]
    (results / "measurements.json").write_text(json.dumps(record))
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    slices = [{"view": view, "frame": 0, "slice": 0, "runs": None} for view in ("sax", "lax_4c")]
    slices[0]["runs"] = [0, 56 * 46]
    with pytest.raises(InputError, match="no mask"):
        store.use(key, lambda study: store.change(study, Changes.model_validate({"slices": slices})))
    view = store.use(key, lambda study: study.view("sax"))
    assert np.array_equal(view.labels, view.own)  # type: ignore[arg-type]


def test_changes_are_stored_whole_or_not_at_all(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    good = {"view": "sax", "frame": 0, "slice": 2, "runs": [0, 56 * 46]}

    def change(given: dict[str, object]) -> None:
        store.use(key, lambda study: store.change(study, Changes.model_validate(given)))

    def unchanged() -> bool:
        """Whether the opened study, as its pages show it, is the model's, and so is what is stored."""
        view, review = store.use(key, lambda study: (study.view("sax"), study.review))
        return np.array_equal(view.labels, view.own) and not review.is_corrected and not read_review(results).slices

    for bad in ({**good, "slice": 99}, {**good, "frame": 99}, {**good, "runs": [9, 56 * 46]}):
        with pytest.raises(InputError):
            change({"slices": [good, bad]})
        assert unchanged()
    with pytest.raises(InputError):
        change({"slices": [good], "ed_frame": 2, "es_frame": 2})
    assert unchanged()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("cinema_cmr.serve.opened_study.write_review", full)
        change({"slices": [good]})
    assert unchanged()
    change({"slices": [good], "what": "eraser"})
    review = read_review(results)
    assert review.is_corrected and review.values["lv_edv_ml"] is not None
    assert [entry.what for entry in review.history] == ["eraser"]


def remeasured(results: Path, change: Callable[[np.ndarray], None], **rules: str | float) -> None:
    """Correct the mask of the results with another program a minute later, and measure it again."""
    path = results / "segmentation/sax.nii.gz"
    grid = read_nifti_grid(path, view=View.SAX)
    labels = read_codes(path, grid.shape, "cine").copy()
    change(labels)
    write_mask(labels, grid, path, overwrite=True)
    later = datetime.now(UTC) + timedelta(minutes=1)
    write_results(remeasure(results, Corrections(rules=rules), now=later), results, overwrite=True)


def test_corrections_made_elsewhere_later_are_kept(results: Path) -> None:
    """Slices 2 and 3 are emptied and signed off; then 2 gets a square elsewhere, 3 the model's labels, and ES moves."""
    path, empty = results / "segmentation/sax.nii.gz", [0, 56 * 46]
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    grid = read_nifti_grid(path, view=View.SAX)
    own = read_codes(path, grid.shape, "cine").copy()
    slices = [{"view": "sax", "frame": 0, "slice": index, "runs": empty} for index in (2, 3)]
    changes = Changes.model_validate({"slices": slices, "es_frame": 5})

    def sign(study: OpenedStudy) -> None:
        store.change(study, changes)
        store.sign_off(study, signed=True)

    store.use(key, sign)
    assert not read_codes(path, grid.shape, "cine")[:, :, 2:4, 0].any()

    def elsewhere(labels: np.ndarray) -> None:
        labels[10:20, 10:20, 2, 0] = 3
        labels[:, :, 3, 0] = own[:, :, 3, 0]

    remeasured(results, elsewhere, es_frame=3)
    again = StudyStore(Library([results]))
    assert again.use(key, lambda study: study.review.signed_off) is None
    again.use(key, again.look_at)
    again.use(key, again.write_results)  # the report is opened
    written = read_codes(path, grid.shape, "cine")
    assert (written[..., 2, 0] == 3).sum() == 100 and np.array_equal(written[..., 3, 0], own[..., 3, 0])
    review = read_review(results)
    assert ([(one.frame, one.slice) for one in review.slices], review.es_frame) == ([(0, 2)], 3)
    assert read_run(results / "run.json").options["es_frame"] == 3


def test_a_slice_taken_back_to_the_model_stays_so_after_a_restart(results: Path) -> None:
    """It was corrected elsewhere, and is the model's again here: the next opening does not take it over once more."""

    def elsewhere(labels: np.ndarray) -> None:
        labels[:, :, 2:4, 0] = 0

    remeasured(results, elsewhere)
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    store.use(key, store.look_at)
    back = Changes.model_validate({"slices": [{"view": "sax", "frame": 0, "slice": 2, "runs": None}]})
    store.use(key, lambda study: store.change(study, back))
    again = StudyStore(Library([results])).use(key, lambda study: study)
    view = again.views[View.SAX]
    assert view.labels is not None and view.own is not None and view.own[:, :, 2, 0].any()
    assert np.array_equal(view.labels[:, :, 2], view.own[:, :, 2]) and not view.labels[:, :, 3, 0].any()
    assert [one.slice for one in again.review.slices] == [3] and not again.is_in_results


@pytest.mark.parametrize(("rules", "es"), [({"weight_kg": 90.0}, 5), ({"es_frame": 3}, 3), ({"ed_frame": 5}, None)])
def test_a_chosen_frame_stays_unless_it_was_changed_elsewhere(
    results: Path, rules: dict[str, float], es: int | None
) -> None:
    """ES is frame 5 here; a later call elsewhere leaves it alone, gives another, or makes frame 5 the ED."""
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    store.use(key, lambda study: store.change(study, Changes.model_validate({"es_frame": 5})))
    remeasured(results, lambda labels: None, **rules)
    again = StudyStore(Library([results]))
    assert again.use(key, lambda study: study.review.es_frame) == es
    assert again.use(key, lambda study: study.numbers().value("lv_es_frame")) != rules.get("ed_frame")


def test_the_list_shows_what_the_page_shows_after_changes_elsewhere(results: Path) -> None:
    """A stroke here that is not in the results, and a later weight from elsewhere: both count once it is open."""
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    store.use(key, erasing(store, 2))
    remeasured(results, lambda labels: None, weight_kg=90.0)
    again = StudyStore(Library([results]))
    again.use(key, again.look_at)
    shown = again.use(key, numbers_of)
    listed = row_of(results)[1]
    assert listed == {name: shown.values[name] for name in listed} and shown.values["lv_edv_ml"] == listed["lv_edv_ml"]
    assert listed["lv_edv_ml"] < shown.own_values["lv_edv_ml"]  # type: ignore[operator]
    review = read_review(results)
    assert [one.what for one in review.history] == ["changed", "results changed elsewhere taken over"]
    again.use(key, again.look_at)
    assert read_review(results) == review  # once


def test_results_written_here_are_not_changed_elsewhere(results: Path) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    store.use(key, erasing(store, 2))
    store.use(key, store.write_results)
    (one,) = Library([results]).listed()
    assert not one.review.is_older(one.record.edits)
    again = StudyStore(Library([results]))
    again.use(key, again.look_at)
    assert [one.what for one in read_review(results).history] == ["changed", "results written"]


def test_refused_frames_leave_the_study_open(results: Path) -> None:
    """All that can be refused is, before anything is changed: a study need not be read again for it."""
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    before = store.use(key, lambda study: study)
    for frames in ({"es_frame": 99}, {"ed_frame": 2, "es_frame": 2}):
        with pytest.raises(InputError):
            store.use(key, lambda study, given=frames: store.change(study, Changes.model_validate(given)))
    assert store.use(key, lambda study: study) is before
    store.use(key, lambda study: store.change(study, Changes.model_validate({"es_frame": 5})))
    anew = Changes.model_validate({"own_frames": True, "ed_frame": 5})  # ES is no longer 5
    store.use(key, lambda study: store.change(study, anew))
    assert read_review(results).ed_frame == 5


def row_of(results: Path) -> tuple[str, dict[str, float | None], dict[str, str]]:
    """State and values of the list, and the line of the CSV."""
    (one,) = Library([results]).listed()
    (line,) = csv.DictReader(io.StringIO(list_csv([one])))
    return one.state, values_of(one), line


@pytest.mark.parametrize("rules", [{}, {"weight_kg": 90.0}, {"basal_rule": "all-slices", "es_frame": 5}])
def test_numbers_of_results_corrected_elsewhere_are_the_corrected_ones(results: Path, rules: dict[str, float]) -> None:
    """Page, list and CSV show them, the model's beside them, before the study is opened and after."""
    before = row_of(results)[1]

    def elsewhere(labels: np.ndarray) -> None:
        labels[25:30, :, 2, 0] = 0

    remeasured(results, elsewhere if not rules.get("weight_kg") else lambda labels: None, **rules)
    record = read_measurements(results / "measurements.json")
    expected = {one.name: one.value for one in record.measurements if one.name in before}
    name = "lv_edvi_ml_m2"
    assert expected[name] != pytest.approx(before[name], rel=1e-3)
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    for _ in ("not opened", "opened"):
        state, values, line = row_of(results)
        assert (state, values) == ("corrected", expected)
        assert float(line[name]) == expected[name] and float(line[f"model_{name}"]) == pytest.approx(before[name])
        numbers = store.use(key, numbers_of)
        assert numbers.values == expected and numbers.state == "corrected"
        assert numbers.own_values == pytest.approx(before)
        store.use(key, store.look_at)


def test_taking_a_written_correction_back_shows_the_models_numbers_at_once(results: Path) -> None:
    before = row_of(results)[1]
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    place = {"view": "sax", "frame": 0, "slice": 2}

    def act(study: OpenedStudy) -> None:
        store.change(study, Changes.model_validate({"slices": [{**place, "runs": [0, 56 * 46]}]}))
        store.write_results(study)

    store.use(key, act)
    assert row_of(results)[1] != before
    undo = Changes.model_validate({"slices": [{**place, "runs": None}]})
    store.use(key, lambda study: store.change(study, undo))
    assert row_of(results)[1]["lv_edv_ml"] == pytest.approx(before["lv_edv_ml"])
    assert store.use(key, numbers_of).values["lv_edv_ml"] == pytest.approx(before["lv_edv_ml"])


def test_a_study_with_an_empty_view_is_signed_off(uneven: Path) -> None:
    """The model found nothing in the 4-chamber view; the reader corrects the stack."""
    for name in ("segmentation/lax_4c.nii.gz", "segmentation/original/lax_4c.nii.gz"):
        grid = read_nifti_grid(uneven / name, view=View.LAX_4C)
        write_mask(np.zeros(grid.shape, np.uint8), grid, uneven / name, overwrite=True)
    store = StudyStore(Library([uneven]))
    key = store.library.listed()[0].key
    store.use(key, erasing(store, 2))
    store.use(key, lambda study: store.sign_off(study, signed=True))
    assert store.library.listed()[0].state == "signed off"


@pytest.mark.parametrize("view", ["lax_4c", "sax"])
def test_a_study_of_which_a_view_is_rejected_is_signed_off(results: Path, view: str) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key

    def reject(study: OpenedStudy) -> None:
        cine = study.view(view).cine
        places = [(frame, index) for frame in range(cine.n_frames) for index in range(cine.n_slices)]
        runs = [0, cine.shape[0] * cine.shape[1]]
        slices = [{"view": view, "frame": frame, "slice": index, "runs": runs} for frame, index in places]
        store.change(study, Changes.model_validate({"slices": slices}))
        store.sign_off(study, signed=True)

    store.use(key, reject)
    (one,) = store.library.listed()
    assert one.state == "signed off" and (values_of(one)["lv_edv_ml"] is None) == (view == "sax")


def test_a_slice_drawn_here_after_that_stays(results: Path) -> None:
    def elsewhere(labels: np.ndarray) -> None:
        labels[:, :, 1:4, 0] = 0

    remeasured(results, elsewhere)
    run = json.loads((results / "measurements.json").read_text())
    run["edits"]["steps"][-1]["time"] = "2020-01-01T00:00:00+00:00"
    (results / "measurements.json").write_text(json.dumps(run))
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    full = {"view": "sax", "frame": 0, "slice": 2, "runs": [3, 56 * 46]}
    store.use(key, lambda study: store.change(study, Changes.model_validate({"slices": [full]})))
    labels = StudyStore(Library([results])).use(key, lambda study: study.views[View.SAX].labels)
    assert labels is not None
    assert (labels[:, :, 2, 0] == 3).all() and not labels[:, :, [1, 3], 0].any()


def test_results_that_are_up_to_date_are_left_alone(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    before = (results / "run.json").read_bytes()

    def act(study: OpenedStudy) -> None:
        store.look_at(study)
        store.sign_off(study, signed=True)

    store.use(key, act)
    assert (results / "run.json").read_bytes() == before
    assert read_review(results).signed_off and read_review(results).looked_at
    store.use(key, erasing(store, 2))
    store.use(key, store.write_results)
    written = (results / "run.json").read_bytes()
    assert written != before
    monkeypatch.setattr("cinema_cmr.pipeline.remeasure.remeasure", None)  # neither of these measures again
    for again in (store, StudyStore(Library([results]))):
        again.use(key, again.write_results)
        again.use(key, partial(again.sign_off, signed=True))
    assert (results / "run.json").read_bytes() == written
