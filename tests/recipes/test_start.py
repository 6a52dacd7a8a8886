"""First weights of a run: random, those of a model or an ensemble's member, or a pre-trained encoder's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import data, small, small_unetr

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.adapters import Adaptation
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig
from cinema_cmr.models.catalogue import join_weights
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA, CineMAConfig
from cinema_cmr.models.transplant import SHARED_PARTS
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.weights import load_model
from cinema_cmr.recipes.finetune import finetune
from cinema_cmr.recipes.presets import with_preset
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.run import prepare_run
from cinema_cmr.recipes.start import first_network, other_pixels, with_sizes_of
from cinema_cmr.tasks.segment import SegmentConfig


def test_a_run_starts_from_given_weights(tmp_path: Path) -> None:
    first = finetune(small(), data(), tmp_path / "one").load()
    still = small().with_optim(lr=0.0, last_lr=0.0)
    started = finetune(still, data(), tmp_path / "two", start=first).load()
    pairs = zip(first.model.state_dict().values(), started.model.state_dict().values(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in pairs)
    assert started.card.training["start"].startswith("small ")


def test_a_start_may_share_its_weights_among_other_views() -> None:
    """A view more changes no weight of a network that all views share."""
    experiment = recipe("lax-mask-unet")
    fewer = replace(experiment, network=replace(experiment.network, also=()))
    network = first_network(fewer, None)
    config = {"view": "lax_4c", "out_chans": 4, "chans": [24, 48, 96, 160, 224]}
    card = replace(load_model("cinema-lax-masks").card, config=config)
    started = first_network(experiment, LoadedModel(model=network, card=card))
    assert experiment.network != fewer.network
    assert all(map(torch.equal, network.state_dict().values(), started.state_dict().values()))


def test_ventricles_start_from_a_network_without_atria() -> None:
    """The last layer keeps its own weights for what the start does not have; all others are the start's."""
    start, experiment = load_model("cinema-lax-masks"), recipe("lax-chambers-unet")
    start = replace(start, card=replace(start.card, label_scheme="cine"), model=cine_unet(start))
    experiment = with_sizes_of(experiment, start)
    drawn, started = (first_network(experiment, given).state_dict() for given in (None, start))
    for name, weights in start.model.state_dict().items():
        assert torch.equal(started[name][: len(weights)], weights), name
    assert torch.equal(started["head.weight"][4:], drawn["head.weight"][4:]) and len(started["head.bias"]) == 6


def test_a_run_takes_the_atria_of_its_start_and_no_other_scheme() -> None:
    start, experiment = load_model("cinema-lax-masks"), recipe("lax-mask-unet")
    start = replace(start, card=replace(start.card, label_scheme="chambers"))
    adopted = with_sizes_of(experiment, start)
    assert isinstance(adopted.task, SegmentConfig) and isinstance(adopted.network, UNet2dConfig)
    assert (adopted.task.label_scheme, adopted.network.out_chans) == ("chambers", 6)
    assert with_sizes_of(recipe("scar-unet"), start).task == recipe("scar-unet").task


def cine_unet(start: LoadedModel) -> UNet2d:
    """A U-Net of the start's channels for background and ventricles."""
    assert isinstance(start.model, UNet2d)
    return UNet2d(replace(start.model.config, out_chans=4))


def test_a_start_that_has_seen_other_pixels_is_noted(tmp_path: Path) -> None:
    said: list[str] = []
    start, experiment = load_model("cinema-sax-start"), recipe("sax-unet")
    prepare_run(experiment, data(), tmp_path, start=start, note=said.append)
    assert "has seen pixels of 2 mm, this run shows 1.5 mm" in said[0] and said[0].endswith(
        "--preset medium shows 2 mm"
    )
    assert other_pixels(with_preset(experiment, "medium"), start) == ""
    assert other_pixels(recipe("ef-vit"), load_model("cinema-small")) == ""
    assert "--preset" not in other_pixels(with_preset(experiment, "medium"), load_model("cinema-sax"))
    assert other_pixels(experiment, None) == ""


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    first = finetune(small(), data(), tmp_path / "one").load()
    with pytest.raises(WeightsError, match="another size"):
        finetune(with_preset(recipe("sax-unet"), "smoke"), data(), tmp_path / "two", start=first)


@pytest.mark.medium
@pytest.mark.parametrize("rank", [0, 2])
def test_what_was_pre_trained_stays_as_it_was(tmp_path: Path, rank: int) -> None:
    first = finetune(small_unetr(), data(), tmp_path / "one").load()
    lively = small_unetr().with_train(optim=replace(small().train.optim, lr=0.01, warmup_steps=0, ema_decay=0.0))
    adaptation = Adaptation(rank=rank)
    second = finetune(replace(lively, adaptation=adaptation), data(), tmp_path / "two", start=first).load()
    before, after = first.model.state_dict(), second.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = {name for name in moved if name.startswith(SHARED_PARTS)}
    assert list(before) == list(after) and any(name.startswith("pred_head_dict.") for name in moved)
    if rank == 0:
        assert not frozen and second.card.training["trainable"] == "stems and encoder frozen"
    else:
        assert frozen and second.card.training["trainable"] == "adapters of rank 2 in the encoder"
        assert all(name.startswith("encoder.blocks.") and name.endswith("weight") for name in frozen)
    assert first.card.training["trainable"] == "all weights"


@pytest.mark.medium
def test_a_frozen_run_is_another_run_and_needs_a_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give weights to start from"):
        finetune(replace(small_unetr(), adaptation=Adaptation()), data(), tmp_path / "none")
    first = finetune(small_unetr(), data(), tmp_path / "one").load()
    finetune(replace(small_unetr(), adaptation=Adaptation()), data(), tmp_path / "two", start=first)
    for other in (None, Adaptation(rank=2)):
        with pytest.raises(UsageError, match="another run"):
            finetune(replace(small_unetr(), adaptation=other), data(), tmp_path / "two", start=first)
    finetune(small_unetr(), data(), tmp_path / "three", start=first)
    with pytest.raises(UsageError, match="another run, which differs in adaptation"):
        finetune(replace(small_unetr(), adaptation=Adaptation()), data(), tmp_path / "three", start=first)


@pytest.mark.medium
def test_layers_that_were_pre_trained_learn_slower_and_random_ones_do_not(tmp_path: Path) -> None:
    experiment = small_unetr()
    experiment = experiment.with_train(optim=replace(experiment.train.optim, layer_decay=1e-3, ema_decay=0.0))
    first = finetune(experiment, data(), tmp_path / "one").load()
    plain = experiment.with_train(optim=replace(experiment.train.optim, layer_decay=1.0))
    again = finetune(plain, data(), tmp_path / "two").load()
    pairs = zip(first.model.state_dict().values(), again.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)  # from random weights there is one rate
    second = finetune(experiment, data(), tmp_path / "three", start=first).load().model.state_dict()
    moved = {key: float((second[key] - value).abs().max()) for key, value in first.model.state_dict().items()}
    stem = max(change for key, change in moved.items() if key.startswith("enc_down_dict."))
    head = max(change for key, change in moved.items() if key.startswith("pred_head_dict."))
    assert stem < head / 20


@pytest.mark.medium
def test_a_run_starts_from_the_member_of_an_ensemble_that_fits(tmp_path: Path) -> None:
    first = finetune(small(seed=1), data(), tmp_path / "one")
    other = finetune(replace(small_unetr(), name="other"), data(), tmp_path / "two")
    join_weights([other.model, first.model], tmp_path / "both", name="both")
    still = small(optim=replace(small().train.optim, lr=0.0, last_lr=0.0))
    started = finetune(still, data(), tmp_path / "three", start=load_model(tmp_path / "both")).load()
    pairs = zip(first.load().model.state_dict().values(), started.model.state_dict().values(), strict=True)
    assert all(torch.allclose(a, b, atol=2e-3) for a, b in pairs)
    with pytest.raises(WeightsError, match="another size"):
        finetune(recipe("sax-unet"), data(), tmp_path / "four", start=load_model(tmp_path / "both"))


def test_a_decoder_of_another_size_is_taken_over_with_its_size(tmp_path: Path) -> None:
    """The recipe's own widths would leave the decoder that was pre-trained with lessons behind."""
    its = small_unetr()
    assert isinstance(its.network, ConvUNetRConfig)
    masks = DecoderConfig(out_chans=4, dec_chans=(6, 4, 6, 6, 8), dec_kernel=(3, 3, 1))
    config = CineMAConfig(image_sizes=its.network.image_sizes, vit=its.network.vit, stem=its.network.stem, masks=masks)
    torch.manual_seed(5)
    source = CineMA(config)
    card = replace(load_model("cinema-small-sax").card, config=config_values(config))
    start = LoadedModel(model=source, card=card)
    still = its.with_optim(lr=0.0, last_lr=0.0).with_train(n_steps=1)
    result = finetune(still, data(), tmp_path / "run", start=start)
    taken = result.load().model.state_dict()
    decoder = source.mask_decoders
    assert decoder is not None
    assert all(torch.allclose(taken[name], weight, atol=1e-3) for name, weight in decoder.state_dict().items())
    assert "dec_chans:\n    - 6\n" in (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")


def test_only_a_network_of_the_decoder_s_views_takes_its_size() -> None:
    start = load_model("cinema-small-sax")
    for its in (small(), recipe("lax-mask-unetr")):
        assert with_sizes_of(its, start) == its
    assert with_sizes_of(small_unetr(), None).network == small_unetr().network
    assert with_sizes_of(small_unetr(), load_model("cinema-small")).network == small_unetr().network


def test_a_run_takes_the_channels_of_the_u_net_that_it_starts_from(tmp_path: Path) -> None:
    """A narrowed network is trained by the recipe of the wide one, without a word on its channels."""
    its, narrower = recipe("sax-unet"), (4, 8, 8, 8, 8)
    assert isinstance(its.network, UNet2dConfig)
    config = replace(its.network, chans=narrower)
    card = replace(load_model("cinema-sax").card, config=config_values(config))
    start = LoadedModel(model=UNet2d(config), card=card)
    said: list[str] = []
    prepare_run(its, data(), tmp_path, start=start, note=said.append)
    assert said == ["the network has the sizes of the start, in place of the recipe's"]
    adopted = with_sizes_of(its, start)
    assert adopted.network == config
    network = first_network(adopted, start)
    assert all(map(torch.equal, network.state_dict().values(), start.model.state_dict().values()))
    chosen = replace(its, network=replace(its.network, chans=(8, 8, 8, 8, 8)))  # by --set or a preset
    assert with_sizes_of(chosen, start) == chosen
    with pytest.raises(WeightsError, match="in another size than recipe"):
        first_network(chosen, start)
