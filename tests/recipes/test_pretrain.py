"""A pre-training run from store to model folder: it learns, goes on where it stopped, and shows what it makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from stored_hearts import NETWORK, TASK, stored_heart

from cinema_cmr.core.errors import InputError, UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.trainer import Progress, TrainConfig
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.pretrain import pretrain, stored_data
from cinema_cmr.recipes.registry import recipe

OPTIM = OptimConfig(lr=3e-3, warmup_steps=5, clip_norm=5.0, ema_decay=0.0)
TRAIN = TrainConfig(n_steps=5, batch_size=2, optim=OPTIM, accelerator="cpu", precision="fp32", checkpoint_every=2)


def experiment(**changes: object) -> Experiment:
    train = replace(TRAIN, **changes)  # type: ignore[arg-type]
    return replace(
        recipe("tiny", task="pretrain"),
        name="test",
        model_name="pretrained-test",
        task=TASK,
        network=NETWORK,
        train=train,
    )


def with_normalised_targets(experiment: Experiment) -> Experiment:
    return replace(experiment, network=replace(experiment.network, normalise_targets=True))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData[StoredStudy]:
    folder = tmp_path_factory.mktemp("store")
    learn = [stored_heart(folder, f"heart {seed}", seed=seed) for seed in range(4)]
    learn.append(stored_heart(folder, "stack", views=[View.SAX], seed=8))
    learn.append(stored_heart(folder, "of no use", views=[View.LAX_2C], seed=8))
    return stored_data(learn, [stored_heart(folder, "held out", seed=9)], licence="CC0")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder / "model").model.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.medium
def test_it_learns_and_its_model_says_what_it_is(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    told: list[Progress] = []
    its = experiment(n_steps=24, log_every=4, validate_every=12)
    pretrain(its, data, tmp_path, report=told.append)
    scores = [p.validation["reconstruction_loss"] for p in told if p.validation]
    first, last = told[0].loss, told[-1].loss
    assert last < 0.7 * first and scores[-1] <= scores[0]
    loaded = load_model(tmp_path / "model")
    assert isinstance(loaded.model, CineMA)
    training = loaded.card.training
    assert (loaded.card.task, loaded.card.licence, training["n_studies"]) == ("pretrain", "CC0", 5)
    assert loaded.card.grids == TASK.grids


@pytest.mark.medium
def test_pictures_are_of_the_held_out_study_and_change(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    pretrain(experiment(n_steps=4, validate_every=2), data, tmp_path)
    paths = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in paths] == ["step-0000002-0.png", "step-0000004-0.png"]
    two, four = (np.asarray(Image.open(path)) for path in paths)
    assert two.shape == four.shape and two.std() > 10
    columns = two.shape[1] // 3
    assert np.array_equal(two[:, :32], four[:, :32])  # the input
    assert not np.array_equal(two[:, -columns:], four[:, -columns:])  # what was made of it


@pytest.mark.medium
def test_a_run_cut_off_goes_on_with_the_same_bits(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    pretrain(experiment(), data, tmp_path / "whole")

    def cut(progress: Progress) -> None:
        if progress.step == 3:  # one past the last checkpoint
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(experiment(log_every=1), data, tmp_path / "cut", report=cut)
    pretrain(experiment(log_every=1), data, tmp_path / "cut")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


@pytest.mark.medium
def test_computing_again_gives_the_same_weights(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    pretrain(experiment(n_steps=2), data, tmp_path / "kept")
    pretrain(experiment(n_steps=2, activation_checkpointing=True), data, tmp_path / "again")
    assert same(weights(tmp_path / "kept"), weights(tmp_path / "again"))


@pytest.mark.medium
def test_it_starts_from_weights_of_its_own_kind_alone(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    pretrain(experiment(n_steps=1), data, tmp_path / "first")
    start = load_model(tmp_path / "first" / "model")
    before = {name: value.clone() for name, value in start.model.state_dict().items()}
    still = OptimConfig(lr=0.0, last_lr=0.0, ema_decay=0.0)
    pretrain(experiment(n_steps=1, seed=7, optim=still), data, tmp_path / "second", start=start)
    assert same(weights(tmp_path / "second"), before)
    card = json.loads((tmp_path / "second" / "model" / "card.json").read_text())
    assert card["training"]["start"].startswith("pretrained-test")
    pretrain(with_normalised_targets(experiment(n_steps=1)), data, tmp_path / "other loss", start=start)
    other = replace(experiment(), network=replace(NETWORK, stem=replace(NETWORK.stem, n_blocks=2)))
    with pytest.raises(WeightsError, match="choose the recipe"):
        pretrain(other, data, tmp_path / "third", start=start)


@pytest.mark.medium
def test_the_options_train_and_stand_in_the_card(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    its = with_normalised_targets(experiment(n_steps=16, log_every=4)).with_task(
        skip_blank=True, decoder_token_ratio=0.5, complementary_masks=2
    )
    told: list[Progress] = []
    pretrain(its, data, tmp_path / "run", report=told.append)
    assert told[-1].loss < told[0].loss
    loaded = load_model(tmp_path / "run" / "model")
    assert isinstance(loaded.model, CineMA) and loaded.model.config.normalise_targets
    options = {"skip_blank": True, "decoder_token_ratio": 0.5, "complementary_masks": 2}
    assert {name: loaded.card.training[name] for name in options} == options
    with pytest.raises(UsageError, match="blank slices are skipped; use 'ddp'"):
        pretrain(its.with_train(devices=2, strategy="fsdp"), data, tmp_path / "split_studies")


def test_what_is_no_data_is_refused(data: TrainingData[StoredStudy]) -> None:
    with pytest.raises(InputError, match="no study to train on"):
        stored_data([])
    with pytest.raises(InputError, match="in both parts"):
        stored_data(data.train, data.train[:1])


def test_divided_weights_need_the_same_views_in_all_studies(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    with pytest.raises(UsageError, match=r"sax, lax_4c; use 'ddp'"):
        pretrain(experiment(devices=2, strategy="fsdp"), data, tmp_path)
    with pytest.raises(UsageError, match="did you mean 'fsdp'"):
        experiment(strategy="fsdp2")
