"""Studies of a model of any task, and masks in files: what is scored, and what is listed with a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from oracles import CPU, Oracle, annotated, cine_of, heart, segmenter
from stored_hearts import NETWORK

from cinema_cmr.core.card import Grid, ModelCard, SeenFrames, seen_facts
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.external_masks import open_predictions
from cinema_cmr.data.seen_frames import SeenPatients, hashes_of
from cinema_cmr.evaluation.evaluate import evaluate, evaluate_masks
from cinema_cmr.evaluation.record import NotScored
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.tasks.registry import create_evaluator
from cinema_cmr.tasks.result import Result

LABELS = heart((15.0, 11.0), n_slices=5)
FLAWED = heart((14.0, 12.0), n_slices=5)
ORACLE = LoadedModel(model=Oracle(), card=segmenter(size=(63, 59)).card)


@pytest.mark.medium
def test_a_model_is_scored_and_studies_without_reference_are_listed() -> None:
    studies = [annotated(LABELS, name, group=name) for name in "ab"]
    studies.append(replace(annotated(LABELS, "c"), labels={}, labelled_frames={}))
    outcomes: list[Result | NotScored] = []
    scored = evaluate(ORACLE, studies, CPU, report=outcomes.append, dataset="hearts")
    record = scored.evaluation
    assert [study.patient for study in scored.studies] == ["a", "b"] == [r.patient for r in record.results]
    assert [(row.study, row.status) for row in record.not_scored] == [("c", "unlabelled")] and len(outcomes) == 3
    assert record.summary.scores["dice_mean"].value > 0.97 and set(record.subgroups) == {"group a", "group b"}
    assert record.dataset == "hearts" and record.checks is not None
    with pytest.raises(InputError, match=r"none of 1 studies can be scored for 'oracle': no labels of the short axis"):
        evaluate(ORACLE, studies[2:], CPU)


@pytest.mark.medium
def test_patients_that_the_model_has_seen_are_named_and_warned_of() -> None:
    studies = [annotated(heart((radius + 5, radius), n_slices=4), f"p{radius:g}") for radius in (10.0, 11.0, 12.0)]
    learned, chosen = (hashes_of([study], [View.SAX]) for study in studies[:2])
    card = replace(ORACLE.card, training=seen_facts([SeenFrames(learned=learned, chosen=chosen)]))
    record = evaluate(replace(ORACLE, card=card), studies, CPU).evaluation
    assert record.seen == SeenPatients(learned=("p10",), chosen=("p11",))
    assert record.to_dict()["seen"] == {"learned": ["p10"], "chosen": ["p11"]}
    assert record.warning.startswith("of the 3 patients here oracle has learned from 1, and its weights or settings")
    new = evaluate(replace(ORACLE, card=card), studies[2:], CPU).evaluation
    assert new.seen == SeenPatients() and new.warning == ""
    unknown = evaluate(ORACLE, studies, CPU).evaluation
    assert unknown.seen is None and unknown.warning == ""


def test_an_autoencoder_is_scored_by_what_it_reconstructs() -> None:
    grids = {View.SAX: Grid(spacing_mm=4.0, size=(32, 32), slice_spacing_mm=10.0, n_slices=3)}
    network = replace(NETWORK, image_sizes={"sax": (32, 32, 3)})
    card = ModelCard(name="mae", task="pretrain", architecture="cinema_mae", config={}, grids=grids)
    model = LoadedModel(model=CineMA(network), card=card)
    first, second = (evaluate(model, [annotated(LABELS, "a")], CPU).evaluation.results[0].scores for _ in range(2))
    assert first["reconstruction_error"] > 0 and first == second
    with pytest.raises(UsageError, match="has no prediction for a study"):
        create_evaluator(model, CPU).predict(annotated(LABELS).study)


def test_a_folder_of_masks_is_scored_and_gaps_are_listed(tmp_path: Path) -> None:
    studies = [annotated(LABELS, name) for name in "abcde"]
    studies[3] = replace(studies[3], labels={}, labelled_frames={})
    studies[4] = replace(studies[4], labelled_frames={View.SAX: ()})  # a map exists, with nothing labelled
    for name in "ae":
        write_mask(FLAWED, cine_of(FLAWED), tmp_path / f"{name}.nii.gz")
    write_mask(FLAWED[:, :, :4], cine_of(FLAWED[:, :, :4]), tmp_path / "c.nii.gz")
    record = evaluate_masks(studies, open_predictions(tmp_path)).evaluation
    (result,) = record.results
    assert result.patient == "a" and 0.8 < result.scores["dice_lv"] < 1 and record.model == tmp_path.name
    assert [(row.study, row.status) for row in record.not_scored] == [
        ("b", "missing"),
        ("c", "unusable"),
        *((name, "unlabelled") for name in "de"),
    ]
    assert "has shape" in record.not_scored[1].why


def test_no_mask_at_all_is_an_error(tmp_path: Path) -> None:
    write_mask(LABELS, cine_of(LABELS), tmp_path / "z.nii.gz")
    with pytest.raises(InputError, match=r"none of 1 studies can be scored for .*: no mask for"):
        evaluate_masks([annotated(LABELS, "a")], open_predictions(tmp_path))
