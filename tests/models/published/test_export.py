"""Cards in the published layout and back; what the layout cannot express is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_models import MAE, VIT, unetr, unetr_card

from cinema_cmr.core.card import ModelCard, TaskName
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.baselines import UNet2dConfig
from cinema_cmr.models.loaded import LoadedModel, join
from cinema_cmr.models.published.config import card_of
from cinema_cmr.models.published.export import export_published, published_config


def segmentation_card() -> ModelCard:
    card = unetr_card()
    return replace(card, grids={**card.grids, View.SAX: replace(card.grids[View.SAX], slice_spacing_mm=10, n_slices=3)})


def card_for(task: TaskName, architecture: str, outputs: tuple[str, ...]) -> ModelCard:
    configs = {
        "cinema_mae": config_values(MAE),
        "conv_vit": config_values(replace(VIT, out_chans=max(1, len(outputs)))),
        "conv_unetr": {**unetr_card().config, "out_chans": len(outputs)},
    }
    return replace(
        segmentation_card(), task=task, architecture=architecture, config=configs[architecture], outputs=outputs
    )


def landmark_card(architecture: str, outputs: tuple[str, ...]) -> ModelCard:
    card = card_for("landmark", architecture, outputs)
    sizes = {"lax_4c": [48, 32]}
    return replace(card, grids={View.LAX_4C: card.grids[View.LAX_4C]}, config={**card.config, "image_sizes": sizes})


COORDINATES = tuple(f"{name}_{axis}" for name in LANDMARKS[View.LAX_4C] for axis in "xy")
CARDS = {
    "pretrain": card_for("pretrain", "cinema_mae", ()),
    "segment": segmentation_card(),
    "classify": card_for("classify", "conv_vit", ("healthy", "ill")),
    "regress": replace(card_for("regress", "conv_vit", ("ef",)), training={"target": {"mean": 60.0, "std": 10.0}}),
    "heatmaps": landmark_card("conv_unetr", LANDMARKS[View.LAX_4C]),
    "coordinates": landmark_card("conv_vit", COORDINATES),
}


@pytest.mark.parametrize("name", CARDS)
def test_the_settings_of_each_task_give_the_card_back(name: str) -> None:
    card = CARDS[name]
    back = card_of(published_config(card), name=card.name)
    assert (back.task, back.output_kind, back.outputs) == (card.task, card.output_kind, card.outputs)
    assert (back.architecture, back.config, back.grids) == (card.architecture, card.config, card.grids)
    assert back.training.get("target") == card.training.get("target")


def test_other_architectures_are_refused() -> None:
    card = replace(unetr_card(), architecture="unet2d", config=config_values(UNet2dConfig(out_chans=4, chans=(2, 4))))
    with pytest.raises(WeightsError, match="is a unet2d; expected cinema_mae, conv_vit or conv_unetr"):
        published_config(card)


@pytest.mark.medium
def test_an_ensemble_of_different_networks_is_refused(tmp_path: Path) -> None:
    card = segmentation_card()
    other = replace(card, config={**card.config, "dropout": 0.5})
    members = {"a": LoadedModel(model=unetr(), card=card), "b": LoadedModel(model=unetr(), card=other)}
    with pytest.raises(WeightsError, match="differ in configuration; expected seeds of one network"):
        export_published(join(members, card), tmp_path / "shared")
    assert not (tmp_path / "shared").exists()
