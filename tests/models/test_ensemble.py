"""Ensembles: one averaging rule for each kind of output, and the layouts of earlier versions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from small_models import images, scrambled, unetr, unetr_card
from torch import Tensor, nn

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.card_json import card_to_json
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.cards import CARD_FILE, WEIGHTS_FILE
from cinema_cmr.models.catalogue import join_weights
from cinema_cmr.models.ensemble import Ensemble, EnsembleConfig, MemberConfig
from cinema_cmr.models.states import hash_of, write_state
from cinema_cmr.models.weights import load_model, save_model

IMAGES = {"sax": torch.zeros(2, 1, 4, 4, 3)}
SLICES = {"sax": torch.rand(1, 1, 16, 16, 2, generator=torch.Generator().manual_seed(0))}


class Constant(nn.Module):
    """Returns the same logits everywhere."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {view: self.logits.view(1, -1, 1, 1, 1).expand(len(x), -1, *x.shape[2:]) for view, x in images.items()}


def unet_config(chans: tuple[int, ...] = (2, 4)) -> dict[str, object]:
    return config_values(UNet2dConfig(out_chans=4, chans=chans))


def unet_card(name: str, config: Mapping[str, object], *, spacing_mm: float = 1.5) -> ModelCard:
    return ModelCard(
        name=name,
        task="segment",
        architecture="unet2d",
        config=config,
        grids={View.SAX: Grid(spacing_mm=spacing_mm, size=(16, 16))},
        outputs=("background", "rv", "myo", "lv"),
        training={"data": "phantoms", "seed": len(name)},
        licence="MIT",
    )


def unet_folder(folder: Path, name: str, *, spacing_mm: float = 1.5) -> Path:
    card = unet_card(name, unet_config(), spacing_mm=spacing_mm)
    return save_model(folder / name, scrambled(build("unet2d", card.config), seed=len(name)), card)


def test_class_probabilities_are_averaged() -> None:
    logits = Ensemble({"a": Constant(2.0, 0.0), "b": Constant(0.0, 1.0)}, "classes")(IMAGES)["sax"]
    mean = (torch.tensor([2.0, 0.0]).softmax(0) + torch.tensor([0.0, 1.0]).softmax(0)) / 2
    assert logits.shape == (2, 2, 4, 4, 3)
    torch.testing.assert_close(logits.softmax(1)[0, :, 0, 0, 0], mean)


def test_extreme_logits_give_finite_probabilities() -> None:
    logits = Ensemble({"a": Constant(500.0, -500.0), "b": Constant(-500.0, 500.0)}, "classes")(IMAGES)["sax"]
    torch.testing.assert_close(logits.softmax(1), torch.full_like(logits, 0.5))


def test_heatmap_probabilities_are_averaged_in_the_tails_too() -> None:
    members = {"a": Constant(-80.0, 0.0, 60.0, 2.0), "b": Constant(-80.0, 0.0, 60.0, -2.0)}
    logits = Ensemble(members, "heatmaps")(IMAGES)["sax"][0, :, 0, 0, 0]
    torch.testing.assert_close(logits, torch.tensor([-80.0, 0.0, 60.0, 0.0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["coordinates", "numbers", "tokens"])
def test_values_are_averaged_directly(kind: str) -> None:
    values = Ensemble({"a": Constant(1.0, 4.0), "b": Constant(3.0, 0.0)}, kind)(IMAGES)["sax"]  # type: ignore[arg-type]
    assert values[0, :, 0, 0, 0].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("members", [{}, {"a": "unet2d"}, {"a": "unet2d", "b": "ensemble"}])
def test_fewer_than_two_networks_and_nested_ensembles_are_refused(members: dict[str, str]) -> None:
    described = {name: MemberConfig(architecture=architecture, config={}) for name, architecture in members.items()}
    with pytest.raises(UsageError, match="two or more networks"):
        EnsembleConfig(members=described, output_kind="classes")


def members_of_two_sizes() -> dict[str, nn.Module]:
    sizes = {"a": (2, 4), "b": (4, 6)}
    return {
        name: scrambled(build("unet2d", unet_config(chans)), seed) for seed, (name, chans) in enumerate(sizes.items())
    }


def config_of_two_sizes() -> dict[str, object]:
    members = {"a": unet_config((2, 4)), "b": unet_config((4, 6))}
    return {"members": {name: {"architecture": "unet2d", "config": config} for name, config in members.items()}}


def test_an_ensemble_is_saved_and_loaded_like_any_model(tmp_path: Path) -> None:
    model = Ensemble(members_of_two_sizes(), "classes").eval()
    described = {**config_of_two_sizes(), "output_kind": "classes"}
    card = unet_card("both", described)
    card = ModelCard(**{**vars(card), "architecture": "ensemble"})
    loaded = load_model(save_model(tmp_path / "both", model, card))
    with torch.inference_mode():
        assert torch.equal(loaded.model(SLICES)["sax"], model(SLICES)["sax"])
    assert {name: one.card.architecture for name, one in loaded.members.items()} == {"a": "unet2d", "b": "unet2d"}
    assert loaded.members["b"].card.config["chans"] == [4, 6]


def write_folder(folder: Path, card: dict[str, object], state: Mapping[str, Tensor]) -> Path:
    folder.mkdir()
    write_state(folder / WEIGHTS_FILE, state)
    (folder / CARD_FILE).write_text(json.dumps({**card, "weights_sha256": hash_of(folder / WEIGHTS_FILE)}))
    return folder


def version_1(card: ModelCard, **changes: object) -> dict[str, object]:
    values = {**card_to_json(card), "card_version": 1, **changes}
    return {"turns" if key == "tta" else key: value for key, value in values.items()}


def test_a_committee_of_version_1_gives_the_same_numbers(tmp_path: Path) -> None:
    """Expected: the formula of version 1, bit for bit."""
    networks = members_of_two_sizes()
    state = {f"networks.{name}.{key}": x for name, net in networks.items() for key, x in net.state_dict().items()}
    card = version_1(unet_card("both", config_of_two_sizes()), architecture="committee")
    loaded = load_model(write_folder(tmp_path / "both", card, state))
    with torch.inference_mode():
        logits = [network(SLICES)["sax"] for network in networks.values()]
        expected = torch.stack([x.float().log_softmax(1) for x in logits]).logsumexp(0) - math.log(2)
        assert torch.equal(loaded.model(SLICES)["sax"], expected)
    assert loaded.card.output_kind == "classes" and list(loaded.members) == ["a", "b"]


@pytest.mark.medium
@pytest.mark.parametrize("task", ["segment", "landmark"])
def test_seeds_of_version_1_give_the_same_numbers(tmp_path: Path, task: str) -> None:
    """Expected: the formulas of version 1, bit for bit."""
    networks = [unetr(seed) for seed in range(3)]
    state = {f"members.{i}.{key}": x for i, net in enumerate(networks) for key, x in net.state_dict().items()}
    loaded = load_model(write_folder(tmp_path / "seeds", version_1(unetr_card(), task=task), state))
    with torch.inference_mode():
        logits = [network(images())["sax"] for network in networks]
        found = loaded.model(images())["sax"]
    if task == "segment":
        expected = torch.stack([x.log_softmax(1) for x in logits]).logsumexp(0) - torch.log(torch.tensor(3.0))
    else:
        inside = torch.stack([nn.functional.logsigmoid(x) for x in logits]).logsumexp(0)
        expected = inside - torch.stack([nn.functional.logsigmoid(-x) for x in logits]).logsumexp(0)
    assert torch.equal(found, expected)
    again = load_model(save_model(tmp_path / "again", loaded.model, loaded.card))
    with torch.inference_mode():
        assert torch.equal(again.model(images())["sax"], found)


def test_models_are_joined_and_their_probabilities_averaged(tmp_path: Path) -> None:
    folders = [unet_folder(tmp_path, name) for name in ("one", "second")]
    card = join_weights(folders, tmp_path / "both", name="both", logit_offsets={"lv": 0.4})
    assert (card.name, card.architecture, card.licence) == ("both", "ensemble", "MIT")
    assert card.logit_offsets == {"lv": 0.4}
    assert card.training["data"] == "phantoms" and "seed" not in card.training
    assert card.training["members"]["second"]["seed"] == 6
    with torch.inference_mode():
        whole = load_model(tmp_path / "both").model(SLICES)["sax"].softmax(1)
        parts = [load_model(folder).model(SLICES)["sax"].softmax(1) for folder in folders]
    torch.testing.assert_close(whole, (parts[0] + parts[1]) / 2, atol=2e-3, rtol=0)


def test_models_of_one_name_are_numbered(tmp_path: Path) -> None:
    folders = [unet_folder(tmp_path, name) for name in ("one", "second", "third one")]
    for folder in folders:
        card = (folder / CARD_FILE).read_text(encoding="utf-8")
        renamed = re.sub(r'"name": "[^"]*"', '"name": "unet-0.5"', card, count=1)
        (folder / CARD_FILE).write_text(renamed, encoding="utf-8")
    card = join_weights(folders, tmp_path / "all", name="all")
    assert [member["seed"] for member in card.training["members"].values()] == [3, 6, 9]
    assert list(card.training["members"]) == ["unet-0-5", "unet-0-5-2", "unet-0-5-3"]
    assert len(load_model(tmp_path / "all").members) == 3


def test_models_of_different_grids_and_repeated_models_are_not_joined(tmp_path: Path) -> None:
    one, other = unet_folder(tmp_path, "one"), unet_folder(tmp_path, "coarse", spacing_mm=2.0)
    for sources in ([one, other], [one, one], [one]):
        with pytest.raises(WeightsError, match="cannot be joined; expected two or more"):
            join_weights(sources, tmp_path / "both", name="both")
