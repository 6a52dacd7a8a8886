"""Both runs have the same of everything but their first weights, and each patient is held out once."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest
from oracles import annotated, heart
from small_runs import CARD, small, small_unetr

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.serialise import json_text
from cinema_cmr.data.cases import Split
from cinema_cmr.data.seen_frames import SeenPatients
from cinema_cmr.engine.progress import Progress
from cinema_cmr.models.adapters import Adaptation
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.recipes.finetune import TrainingData, finetune
from cinema_cmr.recipes.scratch import compare_with_scratch, divide_into_folds

STUDIES = [
    annotated(heart((radius, radius - 2)), f"p{n}", group="AB"[n % 2])
    for n, radius in enumerate((9.0, 10.0, 11.0, 12.0))
]


def data() -> TrainingData:
    split = Split(dataset="hearts", parts={"train": ("p0", "p1"), "validation": ("p2", "p3")}, rule="by hand")
    return TrainingData(card=CARD, split=split, train=STUDIES[:2], val=STUDIES[2:])


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return finetune(small(), data(), tmp_path_factory.mktemp("start")).load()


def test_runs_that_choose_weights_on_the_compared_patients_are_refused(tmp_path: Path, start: LoadedModel) -> None:
    patient = small().with_train(n_steps=9, validate_every=1, patience=2)
    with pytest.raises(UsageError, match="compared on would choose the weights; leave --patience out"):
        compare_with_scratch(patient, data(), tmp_path, start=start)
    assert list(tmp_path.iterdir()) == []


def test_each_patient_is_held_out_once_and_never_learned_from_then() -> None:
    folds = divide_into_folds(data(), 2, seed=1)
    held = [study.patient for fold in folds for study in fold.val]
    assert sorted(held) == ["p0", "p1", "p2", "p3"]
    for fold in folds:
        learned = {study.patient for study in fold.train}
        assert learned | {study.patient for study in fold.val} == set(held)
        assert {study.facts["group"] for study in fold.val} == {"A", "B"}
        assert set(fold.split["train"]) == learned
    with pytest.raises(UsageError, match="5 folds of 4 labelled patients; expected 2 to 4"):
        divide_into_folds(data(), 5)


@pytest.mark.medium
def test_both_runs_differ_in_their_first_weights_alone(tmp_path: Path, start: LoadedModel) -> None:
    finetune(small(), data(), tmp_path, start=start)
    gain = compare_with_scratch(small(), data(), tmp_path, start=start)
    cards = [json.loads((tmp_path / name / "card.json").read_text()) for name in ("model", "scratch/model")]
    first, second = (card["training"] for card in cards)
    assert first.pop("start").startswith("small ") and second.pop("start") == "random weights"
    scores = [training.pop("validation") for training in (first, second)]
    assert first == second and all(scores)
    assert (gain.compared_on, gain.task, gain.primary) == (
        "the validation part",
        "segment",
        "dice_mean",
    )
    assert [row.patient for row in gain.patients] == ["p2", "p3"]
    assert gain.verdict.code == "inconclusive" and gain.comparison.n_patients == 2
    assert gain.seen == SeenPatients() and gain.warning == ""


@pytest.mark.medium
def test_folds_pool_all_patients_and_go_on_where_they_were(tmp_path: Path, start: LoadedModel) -> None:
    finetune(small(), data(), tmp_path, start=start)
    reports: list[tuple[str, Progress]] = []
    call = {"start": start, "n_folds": 2, "report": lambda name, progress: reports.append((name, progress))}
    gain = compare_with_scratch(small(), data(), tmp_path, **call)
    runs = [f"folds/{n}/{run}" for n in (1, 2) for run in ("start", "scratch")]
    assert list(dict.fromkeys(name for name, _ in reports)) == runs
    assert sorted(row.patient for row in gain.patients) == ["p0", "p1", "p2", "p3"]
    assert gain.warning.startswith("of the 4 patients here small has learned from 2"), "the folds hold these out too"
    assert gain.compared_on == "2-fold cross-validation"
    reports.clear()
    again = compare_with_scratch(small(), data(), tmp_path, **call)
    assert json_text(again) == json_text(gain)
    assert [name for name, _ in reports] == runs, "a finished run is validated once and not trained"
    assert all(isnan(progress.loss) and progress.step == progress.n_steps for _, progress in reports)


@pytest.mark.medium
def test_without_patients_to_compare_on_nothing_is_claimed(tmp_path: Path, start: LoadedModel) -> None:
    alone = replace(data(), val=[])
    finetune(small(), alone, tmp_path, start=start)
    gain = compare_with_scratch(small(), alone, tmp_path, start=start)
    assert gain.verdict.code == "inconclusive" and gain.patients == ()


@pytest.mark.medium
def test_only_the_start_s_own_runs_are_frozen(tmp_path: Path) -> None:
    first = finetune(small_unetr(), data(), tmp_path / "first").load()
    frozen = replace(small_unetr(), adaptation=Adaptation())
    finetune(frozen, data(), tmp_path / "run", start=first)
    gain = compare_with_scratch(frozen, data(), tmp_path / "run", start=first)
    assert gain.learned == "stems and encoder frozen"
    cards = [json.loads((tmp_path / "run" / name / "card.json").read_text()) for name in ("model", "scratch/model")]
    assert [card["training"]["trainable"] for card in cards] == ["stems and encoder frozen", "all weights"]
