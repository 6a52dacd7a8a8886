"""A committee's probabilities are the mean of its members', also where they are sure of different things."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from small_models import scrambled
from torch import Tensor, nn

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.catalogue import join_weights
from cinema_cmr.models.committee import Committee, CommitteeConfig, MemberConfig
from cinema_cmr.models.weights import load_model, save_model


class Says(nn.Module):
    """Always the same logits."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {view: self.logits.view(1, -1, 1, 1, 1).expand(len(x), -1, *x.shape[2:]) for view, x in images.items()}


IMAGES = {"sax": torch.zeros(2, 1, 4, 4, 3)}


def test_probabilities_are_averaged() -> None:
    logits = Committee({"a": Says(2.0, 0.0), "b": Says(0.0, 1.0)})(IMAGES)["sax"]
    mean = (torch.tensor([2.0, 0.0]).softmax(0) + torch.tensor([0.0, 1.0]).softmax(0)) / 2
    assert logits.shape == (2, 2, 4, 4, 3)
    torch.testing.assert_close(logits.softmax(1)[0, :, 0, 0, 0], mean)


def test_members_that_are_very_sure_give_numbers() -> None:
    logits = Committee({"a": Says(500.0, -500.0), "b": Says(-500.0, 500.0)})(IMAGES)["sax"]
    torch.testing.assert_close(logits.softmax(1), torch.full_like(logits, 0.5))


def test_a_committee_is_saved_and_loaded_like_any_model(tmp_path: Path) -> None:
    networks = {name: UNet2dConfig(out_chans=4, chans=chans) for name, chans in (("a", (2, 4)), ("b", (4, 6)))}
    config = CommitteeConfig(
        members={n: MemberConfig(architecture="unet2d", config=config_values(c)) for n, c in networks.items()}
    )
    model = scrambled(build("committee", config_values(config))).eval()
    card = ModelCard(
        name="both",
        task="segment",
        architecture="committee",
        config=config_values(config),
        grids={View.SAX: Grid(spacing_mm=1.5, size=(16, 16))},
        outputs=("background", "rv", "myo", "lv"),
    )
    loaded = load_model(save_model(tmp_path / "both", model, card))
    images = {"sax": torch.rand(1, 1, 16, 16, 2)}
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(images)["sax"], model(images)["sax"])
    assert len(loaded.members) == 1


@pytest.mark.parametrize("members", [{}, {"a": "unet2d"}, {"a": "unet2d", "b": "committee"}])
def test_what_is_no_committee_is_refused(members: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="two or more networks"):
        CommitteeConfig(members={n: MemberConfig(architecture=a, config={}) for n, a in members.items()})


def unet_folder(folder: Path, name: str, *, spacing_mm: float = 1.5) -> Path:
    config = UNet2dConfig(out_chans=4, chans=(2, 4))
    card = ModelCard(
        name=name,
        task="segment",
        architecture="unet2d",
        config=config_values(config),
        grids={View.SAX: Grid(spacing_mm=spacing_mm, size=(16, 16))},
        outputs=("background", "rv", "myo", "lv"),
        training={"seed": len(name)},
        licence="MIT",
    )
    return save_model(folder / name, scrambled(build("unet2d", card.config), seed=len(name)), card)


def test_models_are_joined_into_one_whose_answer_is_theirs(tmp_path: Path) -> None:
    folders = [unet_folder(tmp_path, name) for name in ("one", "second")]
    card = join_weights(folders, tmp_path / "both", name="both", logit_offsets={"lv": 0.4})
    assert (card.name, card.architecture, card.licence) == ("both", "committee", "MIT")
    assert card.logit_offsets == {"lv": 0.4}
    assert card.training["members"]["second"]["seed"] == 6
    images = {"sax": torch.rand(1, 1, 16, 16, 2)}
    with torch.inference_mode():
        whole = load_model(tmp_path / "both").model(images)["sax"].softmax(1)
        parts = [load_model(folder).model(images)["sax"].softmax(1) for folder in folders]
    torch.testing.assert_close(whole, (parts[0] + parts[1]) / 2, atol=2e-3, rtol=0)


def test_seeds_of_one_recipe_are_joined_under_numbered_names(tmp_path: Path) -> None:
    folders = [unet_folder(tmp_path, name) for name in ("one", "second", "third one")]
    for folder in folders:
        card = (folder / "card.json").read_text(encoding="utf-8")
        (folder / "card.json").write_text(re.sub(r'"name": "[^"]*"', '"name": "unet"', card, count=1), encoding="utf-8")
    card = join_weights(folders, tmp_path / "all", name="all")
    assert [member["seed"] for member in card.training["members"].values()] == [3, 6, 9]
    assert list(card.training["members"]) == ["unet", "unet-2", "unet-3"]
    assert len(load_model(tmp_path / "all").model.networks) == 3


def test_models_of_other_grids_or_one_twice_are_not_joined(tmp_path: Path) -> None:
    one, other = unet_folder(tmp_path, "one"), unet_folder(tmp_path, "coarse", spacing_mm=2.0)
    for sources in ([one, other], [one, one], [one]):
        with pytest.raises(WeightsError, match="cannot answer together"):
            join_weights(sources, tmp_path / "both", name="both")
