"""The store keeps a few studies open, and a change is stored whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.messages import Changes
from cinema_cmr.serve.opened_study import OpenedStudy
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
