"""The store keeps a few studies open, and a change is stored whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_grid, write_mask
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.record.stored import read_run
from cinema_cmr.report.write import write_results
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.opened_study import OpenedStudy
from cinema_cmr.serve.opened_view import read_codes
from cinema_cmr.serve.review import read_review
from cinema_cmr.serve.study_store import StudyStore

pytestmark = pytest.mark.medium


def test_a_few_studies_stay_open(template: Path, tmp_path: Path) -> None:
    for number in range(6):
        shutil.copytree(template, tmp_path / str(number))
    store = StudyStore(Library([tmp_path]))
    keys = [one.key for one in store.library.listed()]
    studies = [store.use(key, lambda study: study) for key in keys]
    assert store.use(keys[-1], lambda study: study) is studies[-1]
    assert store.use(keys[0], lambda study: study) is not studies[0]


def test_changes_are_stored_whole_or_not_at_all(results: Path) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    good = {"view": "sax", "frame": 0, "slice": 2, "runs": [0, 56 * 46]}

    def change(given: dict[str, object]) -> None:
        store.use(key, lambda study: store.change(study, Changes.model_validate(given)))

    with pytest.raises(InputError):
        change({"slices": [good, {**good, "slice": 99}]})
    with pytest.raises(InputError):
        change({"slices": [good], "ed_frame": 2, "es_frame": 2})
    assert not read_review(results).is_corrected
    change({"slices": [good], "what": "eraser"})
    review = read_review(results)
    assert review.state == "corrected" and review.values["lv_edv_ml"] is not None
    assert [entry.what for entry in review.history] == ["eraser"]


def remeasured(results: Path, change: Callable[[np.ndarray], None], **rules: int) -> None:
    """Correct the mask of the results with another program a minute later, and measure it again."""
    path = results / "segmentation/sax.nii.gz"
    grid = read_nifti_grid(path, view=View.SAX)
    labels = read_codes(path, grid.shape, "cine").copy()
    change(labels)
    write_mask(labels, grid, path, overwrite=True)
    later = datetime.now(UTC) + timedelta(minutes=1)
    write_results(remeasure(results, Corrections(rules=rules), now=later), results, overwrite=True)


def test_corrections_made_elsewhere_later_are_kept(results: Path) -> None:
    """Slices 2 and 3 are emptied here and signed off; then 2 gets a square, 3 the model's labels again, and ES moves."""
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


def test_results_that_are_up_to_date_are_left_alone(results: Path) -> None:
    store = StudyStore(Library([results]))
    key = store.library.listed()[0].key
    before = (results / "run.json").read_bytes()

    def act(study: OpenedStudy) -> None:
        store.look_at(study)
        store.sign_off(study, signed=True)

    store.use(key, act)
    assert (results / "run.json").read_bytes() == before
    assert read_review(results).state == "signed off" and read_review(results).looked_at
