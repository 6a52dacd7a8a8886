"""Changes of an opened study: equal labels are no correction, those of others are taken over or seen before more."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError, MissingFileError, UnknownNameError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_grid, write_mask
from cinema_cmr.pipeline.results_folder import read_results
from cinema_cmr.report.record.review import read_review
from cinema_cmr.serve.document import numbers_of
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.opened_study import OpenedStudy, open_study
from cinema_cmr.serve.opened_view import read_codes
from cinema_cmr.serve.study_store import ChangedElsewhereError, StudyStore

EMPTY = {"view": "sax", "frame": 0, "slice": 2, "runs": [0, 56 * 46]}


def opened(results: Path) -> OpenedStudy:
    return open_study(results, Library([results]).record(results))


def test_a_correction_is_stored_applied_again_and_taken_back(results: Path) -> None:
    study = opened(results)
    empty = np.zeros(study.views[View.SAX].cine.shape[:2], np.uint8)
    study.change("sax", 1, 2, empty)
    study.save()
    again = opened(results)
    assert again.review == study.review and again.review.mask_sha256.keys() == {"sax"}
    labels = again.views[View.SAX].labels
    assert labels is not None and not labels[:, :, 2, 1].any() and labels[:, :, 2, 0].any()
    again.change("sax", 1, 2, None)
    assert not again.review.is_corrected and labels[:, :, 2, 1].any()
    own = again.views[View.SAX].own
    assert own is not None
    again.change("sax", 1, 2, own[:, :, 2, 1].copy())
    assert not again.review.is_corrected


def test_a_mask_corrected_by_another_program_counts_as_corrected(results: Path) -> None:
    path = results / "segmentation/sax.nii.gz"
    grid = read_nifti_grid(path, view=View.SAX)
    labels = read_codes(path, grid.shape, "cine").copy()
    labels[:, :, 3, 4] = 0
    write_mask(labels, grid, path, overwrite=True)
    study = opened(results)
    assert [(one.view, one.frame, one.slice) for one in study.review.slices] == [("sax", 4, 3)]
    assert study.views[View.SAX].own.any(axis=(0, 1))[3, 4]  # type: ignore[union-attr]


@pytest.mark.parametrize(("view", "frame", "index"), [("sax", 99, 0), ("sax", -1, 0), ("sax", 0, 99), ("sax", 0, -1)])
def test_slices_that_are_not_there_are_refused(results: Path, view: str, frame: int, index: int) -> None:
    study = opened(results)
    with pytest.raises(InputError, match="expected 0 to"):
        study.change(view, frame, index, None)
    with pytest.raises(UnknownNameError, match="no images"):
        study.change("lax_2c", 0, 0, None)


def test_frames_are_chosen_within_the_study_and_apart(results: Path) -> None:
    study = opened(results)
    study.choose_frames(None, 5)
    assert study.review.es_frame == 5 and study.numbers().value("lv_es_frame") == 5
    with pytest.raises(InputError, match="expected 0 to 7"):
        study.choose_frames(8, None)
    with pytest.raises(InputError, match="ED and ES"):
        study.choose_frames(5, None)


def test_frames_of_the_stack_are_chosen_where_other_views_have_more(uneven: Path, late: Path) -> None:
    study = opened(uneven)
    assert {view: one.cine.n_frames for view, one in study.views.items()} == {View.SAX: 8, View.LAX_4C: 12}
    with pytest.raises(InputError, match="frame 9; expected 0 to 7"):
        study.choose_frames(None, 9)
    study.choose_frames(None, 7)
    assert study.quick_numbers().value("lv_es_frame") == study.numbers().value("lv_es_frame") == 7
    with pytest.raises(InputError, match="late-enhancement"):
        opened(late).choose_frames(0, None)


def test_corrections_of_other_masks_are_not_applied(results: Path) -> None:
    study = opened(results)
    study.change("sax", 1, 2, np.zeros(study.views[View.SAX].cine.shape[:2], np.uint8))
    study.save()
    path = results / "segmentation/original/sax.nii.gz"
    grid = read_nifti_grid(path, view=View.SAX)
    write_mask(np.zeros(grid.shape, np.uint8), grid, path, overwrite=True)
    with pytest.raises(InputError, match="other masks"):
        opened(results)


def test_results_without_images_say_what_to_do(results: Path) -> None:
    for image in (results / "images").iterdir():
        image.unlink()
    with pytest.raises(MissingFileError, match="analyse the study"):
        opened(results)


@pytest.mark.medium
@pytest.mark.parametrize("had_atria", [False, True])
def test_an_atrium_that_was_painted_is_stored_and_measured(
    results: Path, chambers: Path, had_atria: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In results of a model without atria, and of one with them."""
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    folder = chambers if had_atria else results
    store = StudyStore(Library([folder]))
    key = store.library.listed()[0].key
    width, height = store.use(key, lambda study: study.views[View.LAX_4C].cine.shape[:2])
    runs = [0, 10, 4, 6, 5, 3, 0, width * height - 19]
    given = {"slices": [{"view": "lax_4c", "frame": 2, "slice": 0, "runs": runs}]}
    store.use(key, lambda study: store.change(study, Changes.model_validate(given)))
    store = StudyStore(Library([folder]))  # opened again
    shown = store.use(key, lambda study: study.views[View.LAX_4C].labels)
    assert shown is not None and [np.count_nonzero(shown[..., 2] == code) for code in (4, 5)] == [6, 3]
    before = store.use(key, lambda study: study.numbers().to_dict())
    store.use(key, lambda study: store.sign_off(study, signed=True))
    after = store.use(key, lambda study: study.numbers().to_dict())
    assert before["lv_edv_ml"] is not None and before.keys() == after.keys()
    read = read_results(folder)
    stored = read.labels(View.LAX_4C, folder / "segmentation" / "lax_4c.nii.gz")
    assert [np.count_nonzero(stored[..., 2] == code) for code in (4, 5)] == [6, 3]
    assert read.record.edits is not None and [mask.view for mask in read.record.edits.masks] == [View.LAX_4C]
    assert np.any(read.labels(View.LAX_4C, read.model_mask(View.LAX_4C)) == 4) == had_atria


@pytest.mark.parametrize(("view", "code"), [("sax", 4), ("lax_4c", 6)])
def test_a_code_that_a_view_does_not_have_is_refused(chambers: Path, view: str, code: int) -> None:
    store = StudyStore(Library([chambers]))
    key = store.library.listed()[0].key
    width, height = store.use(key, lambda study: study.view(view).cine.shape[:2])
    given = {"slices": [{"view": view, "frame": 0, "slice": 0, "runs": [code, width * height]}]}
    with pytest.raises(InputError, match="code"):
        store.use(key, lambda study: store.change(study, Changes.model_validate(given)))


def change(store: StudyStore, key: str, **given: object) -> str:
    """Change a study; return the revision that the window sees then."""
    changes = Changes.model_validate(given)

    def action(study: OpenedStudy) -> str:
        store.change(study, changes)
        return numbers_of(study, quick=True).revision

    return store.use(key, action)


@pytest.mark.medium
def test_a_change_of_what_another_window_has_changed_is_refused(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "one"))
    store = StudyStore(Library([tmp_path]))
    (key,) = (one.key for one in store.library.listed())
    store.use(key, store.look_at)
    seen = store.use(key, numbers_of).revision
    later = change(store, key, slices=[EMPTY], seen=seen)
    stored = (folder / "review.json").read_bytes()
    with pytest.raises(ChangedElsewhereError, match="changed in another window"):
        change(store, key, slices=[{**EMPTY, "runs": [0, 56 * 46 - 1, 3, 1]}], seen=seen)
    with pytest.raises(ChangedElsewhereError):
        store.use(key, partial(store.sign_off, signed=True, seen=seen))
    assert (folder / "review.json").read_bytes() == stored
    monkeypatch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
    store.use(key, store.bring_up_to_date)  # as opening the report does: nothing is corrected by it
    assert change(store, key, es_frame=1, seen=later) != later
    assert change(store, key, es_frame=1) == store.use(key, numbers_of).revision, "who names nothing is not checked"


def test_two_servers_lose_no_stroke_of_the_other(template: Path, tmp_path: Path) -> None:
    """The study lies in the memory of both when one stores a correction, and when the other adds one."""
    folder = Path(shutil.copytree(template, tmp_path / "one"))
    stores = [StudyStore(Library([tmp_path])) for _ in range(2)]
    (key,) = (one.key for one in stores[0].library.listed())
    for store in stores:
        store.use(key, store.look_at)
    seen = stores[1].use(key, numbers_of).revision
    for index, store in enumerate(stores):
        change(store, key, slices=[{**EMPTY, "slice": 2 + index}])
    assert {one.slice for one in read_review(folder).slices} == {2, 3}
    assert stores[1].use(key, numbers_of).revision != seen
