"""A pre-training run from store to model folder: it learns, goes on where it stopped, and shows what it makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import cine_of, heart
from PIL import Image
from stored_hearts import NETWORK, TASK, stored_heart

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import InputError, UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.population import write_manifest
from cinema_cmr.data.store import StoredStudy
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.engine.optim import OptimConfig
from cinema_cmr.engine.progress import Progress
from cinema_cmr.engine.trainer import TrainConfig
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.pretrain import open_pretraining_data, pretrain, stored_data
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.start import first_network
from cinema_cmr.recipes.training_options import PretrainOptions
from cinema_cmr.tasks.lessons import LessonConfig
from cinema_cmr.tasks.pretrain import PretrainConfig

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


MASKS = DecoderConfig(out_chans=4, dec_chans=(4, 6, 8, 8), dec_kernel=(3, 3, 1), dropout=0.0)


def with_lessons(its: Experiment) -> Experiment:
    network = replace(its.network, masks=MASKS)
    return replace(its.with_task(lessons=LessonConfig(min_voxels=1, confidence=0.3)), network=network)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six labelled hearts as a folder of one's own."""
    folder = tmp_path_factory.mktemp("cohort")
    for number in range(6):
        labels = heart((12.0 + number, 9.0), n_slices=3)
        write_cine(cine_of(labels), folder / f"s{number}.nii.gz")
        write_mask(labels, cine_of(labels), folder / f"s{number}_seg.nii.gz")
    return folder


@pytest.mark.medium
def test_lessons_are_learned_beside_the_reconstruction_and_a_run_with_them_resumes(
    tmp_path: Path, data: TrainingData[StoredStudy], cohort: Path
) -> None:
    store = data.train[0].path.parent
    write_manifest(store)
    its = with_lessons(experiment(n_steps=6))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    pretrain(its, store, whole, lessons=str(cohort))

    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step >= 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        pretrain(its.with_train(log_every=1), store, parts, lessons=str(cohort), report=stop)
    pretrain(its.with_train(log_every=1), store, parts, lessons=str(cohort))
    assert same(weights(whole), weights(parts))
    card = load_model(whole / "model").card
    assert card.training["lessons"] is True and card.config["masks"] is not None
    config = (whole / "config.yaml").read_text()
    assert str(cohort) in config and "--lessons" in config


@pytest.mark.medium
def test_a_teacher_stands_in_config_and_card_with_its_licence(
    tmp_path: Path, data: TrainingData[StoredStudy], cohort: Path
) -> None:
    store = data.train[0].path.parent
    write_manifest(store)
    its = with_lessons(experiment(n_steps=1))
    first = pretrain(its, store, tmp_path / "first", lessons=str(cohort), licence="of the first").model
    taught = pretrain(its, store, tmp_path / "next", lessons=str(cohort), teacher=[str(first)])
    assert "of the first" in taught.card.licence
    assert str(first) in (tmp_path / "next" / "config.yaml").read_text()
    with pytest.raises(UsageError, match="learns no masks; expected --recipe both or unet"):
        pretrain(experiment(), store, tmp_path / "none", teacher=[str(first)])


@pytest.mark.medium
def test_a_u_net_learns_without_labels_of_people_and_starts_a_fine_tuning(
    tmp_path: Path, data: TrainingData[StoredStudy], cohort: Path
) -> None:
    store = data.train[0].path.parent
    write_manifest(store)
    its = recipe("unet", task="pretrain")
    config, grid = its.task, TASK.grids[View.SAX]
    assert isinstance(config, PretrainConfig) and config.needs_store and set(config.grids) == {View.SAX}
    small = replace(
        its.with_task(grids={View.SAX: grid}, lessons=LessonConfig(min_voxels=1, confidence=0.3)),
        network=replace(its.network, chans=(4, 8), across=1),
        train=experiment(n_steps=2).train,
    )
    result = pretrain(small, store, tmp_path / "run", lessons=str(cohort))
    assert result.validation is not None and set(result.validation) >= {"lesson_dice_lv"}
    assert (result.card.task, result.card.architecture, result.card.label_scheme) == ("segment", "unet2d", "cine")
    tuned = recipe("sax-unet")
    tuned = replace(tuned, network=small.network).with_grids(lambda _, __: result.card.grids[View.SAX])
    first = first_network(tuned, result.load())
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), result.load().model.state_dict().values(), strict=True)
    )


def test_lessons_and_recipe_have_to_fit(data: TrainingData[StoredStudy], cohort: Path) -> None:
    taught, plain = with_lessons(experiment()).task, experiment().task
    assert isinstance(taught, PretrainConfig) and isinstance(plain, PretrainConfig)
    with pytest.raises(UsageError, match="pre-training without --lessons"):
        open_pretraining_data(PretrainOptions(data="store"), taught)
    with pytest.raises(UsageError, match="expected the recipe both, unet or synthetic"):
        open_pretraining_data(PretrainOptions(data="store", lessons=str(cohort)), plain)
    with pytest.raises(UsageError, match="no store given; expected"):
        open_pretraining_data(PretrainOptions(), plain)
    with pytest.raises(UsageError, match="no store given beside the lessons"):
        open_pretraining_data(PretrainOptions(lessons=str(cohort)), taught)


def test_lessons_are_for_processes_that_share_no_weights(data: TrainingData[StoredStudy], tmp_path: Path) -> None:
    sharded = with_lessons(experiment()).with_train(strategy="fsdp", devices=2)
    with pytest.raises(UsageError, match="lessons are drawn"):
        pretrain(sharded, data, tmp_path)


def test_a_store_of_phantoms_may_be_its_own_lessons(tmp_path: Path, cohort: Path) -> None:
    stored_heart(tmp_path, "s0")
    stored_heart(tmp_path, "s1", seed=1)
    write_manifest(tmp_path)
    config = with_lessons(experiment()).task
    assert isinstance(config, PretrainConfig)
    opened = open_pretraining_data(PretrainOptions(data=str(tmp_path), lessons=str(cohort)), config)
    names = [name for part in opened.split.parts.values() for name in part]
    assert len(set(names)) == len(names) == 8


def test_an_autoencoder_of_other_decoders_is_no_start(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    taught = with_lessons(experiment(n_steps=1))
    other = replace(taught, network=replace(taught.network, masks=replace(MASKS, dec_chans=(4, 6, 8, 12))))
    network = first_network(taught, None)
    loaded = LoadedModel(model=network, card=replace(card_of(taught), name="m"))
    with pytest.raises(WeightsError, match="another size"):
        first_network(other, loaded)


def card_of(its: Experiment) -> ModelCard:
    return ModelCard(
        name="m", task="pretrain", architecture="cinema_mae", config=config_values(its.network), grids=TASK.grids
    )


def test_what_is_synthetic_alone_needs_no_store(cohort: Path) -> None:
    config = recipe("synthetic", task="pretrain").task
    assert isinstance(config, PretrainConfig)
    with pytest.raises(UsageError, match="--data with a recipe that learns from lessons alone"):
        open_pretraining_data(PretrainOptions(data="store", lessons=str(cohort)), config)
    opened = open_pretraining_data(PretrainOptions(lessons=str(cohort)), config)
    assert len(opened.train) + len(opened.val) == 6 and not opened.times


def test_the_fewer_are_shown_as_often(tmp_path: Path, cohort: Path) -> None:
    for seed in range(4):
        stored_heart(tmp_path, f"heart {seed}", seed=seed)
    write_manifest(tmp_path)
    config = with_lessons(experiment()).task
    assert isinstance(config, PretrainConfig)
    opened = open_pretraining_data(PretrainOptions(data=str(tmp_path), lessons=str(cohort)), config)
    by_kind = {isinstance(study, StoredStudy): n for study, n in zip(opened.train, opened.times, strict=True)}
    n_lessons = sum(not isinstance(study, StoredStudy) for study in opened.train)
    assert by_kind == {True: round(2 * n_lessons / 3), False: 1}


def test_an_autoencoder_starts_from_one_of_another_grid(tmp_path: Path, data: TrainingData[StoredStudy]) -> None:
    first = pretrain(experiment(n_steps=1), data, tmp_path / "one").load()
    grid = replace(TASK.grids[View.SAX], size=(48, 48))
    wide = with_lessons(experiment(n_steps=1)).with_task(grids={**TASK.grids, View.SAX: grid})
    wide = replace(wide, network=replace(wide.network, image_sizes={"sax": (48, 48, 3), "lax_4c": (48, 32)}))
    network = first_network(wide, first)
    before, after = first.model.state_dict(), network.state_dict()
    assert all(torch.equal(after[name], x) for name, x in before.items() if not name.endswith("pos_embed"))
    assert any(name.startswith("mask_decoders.") for name in after)
