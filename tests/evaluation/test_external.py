"""Masks in a folder score as the arrays they hold; what has none is listed and the others are scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from oracles import annotated, cine_of, heart

from cinema_cmr.core.errors import InputError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.external_masks import open_predictions
from cinema_cmr.evaluation.external import NotScored, evaluate_predictions
from cinema_cmr.evaluation.segmentation import PatientScore, evaluate_masks
from cinema_cmr.io.nifti.image import write_mask

LABELS = heart((15.0, 11.0), n_slices=5)
FLAWED = heart((14.0, 12.0), n_slices=5)


def test_a_folder_scores_as_its_masks_do_and_gaps_are_listed(tmp_path: Path) -> None:
    studies = [annotated(LABELS, name) for name in "abcde"]
    studies[3] = replace(studies[3], labels={}, labelled_frames={})
    studies[4] = replace(studies[4], labelled_frames={View.SAX: ()})  # a map is there, with nothing drawn
    write_mask(FLAWED, cine_of(FLAWED), tmp_path / "e.nii.gz")
    write_mask(FLAWED, cine_of(FLAWED), tmp_path / "a.nii.gz")
    write_mask(FLAWED[:, :, :4], cine_of(FLAWED[:, :, :4]), tmp_path / "c.nii.gz")
    told: list[PatientScore | NotScored] = []
    scored, left = evaluate_predictions(studies, open_predictions(tmp_path), report=told.append)
    ((study, score),) = scored
    (direct,) = evaluate_masks([studies[0]], lambda _: FLAWED)
    assert study is studies[0] and score.frames == direct.frames and score.measured == direct.measured
    assert 0.8 < score.mean("dice_lv") < 1
    assert [(row.study, row.status) for row in left] == [
        ("b", "missing"),
        ("c", "unusable"),
        *((name, "unlabelled") for name in "de"),
    ]
    assert told == [score, *left] and "has shape" in left[1].why


def test_no_mask_at_all_is_an_error(tmp_path: Path) -> None:
    write_mask(LABELS, cine_of(LABELS), tmp_path / "z.nii.gz")
    with pytest.raises(InputError, match=r"none of 1 studies has a mask in .* that can be scored, e.g. no mask for"):
        evaluate_predictions([annotated(LABELS, "a")], open_predictions(tmp_path))
