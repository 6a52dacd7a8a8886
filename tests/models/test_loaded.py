"""An ensemble answers in its members' form with their mean probability."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import convvit, images, unetr, unetr_card

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.loaded import Ensemble, LoadedModel, in_target_units, join


def classifier(task: str) -> ModelCard:
    return replace(unetr_card(), task=task, architecture="conv_vit")


@pytest.mark.medium
def test_segmentations_average_softmax() -> None:
    card = unetr_card()
    members = [LoadedModel(model=unetr(seed), card=card) for seed in range(3)]
    joined = join(members, card)
    assert isinstance(joined.model, Ensemble) and len(joined.members) == 3 and not joined.model.training
    with torch.no_grad():
        alone = [m.model(images()) for m in members]
        for view, logits in joined.model(images()).items():
            mean = torch.stack([x[view].softmax(1) for x in alone]).mean(0)
            assert torch.allclose(logits.softmax(1), mean, atol=1e-6)
            assert torch.allclose(logits.exp().sum(1), torch.ones(()), atol=1e-5)


@pytest.mark.parametrize(
    ("card", "mean"),
    [
        (classifier("classify"), lambda xs: torch.stack([x.softmax(1) for x in xs]).mean(0).log()),
        (classifier("regress"), lambda xs: torch.stack(xs).mean(0)),
        (classifier("landmark"), lambda xs: torch.stack(xs).mean(0)),
    ],
    ids=["classify", "regress", "landmark coordinates"],
)
def test_each_task_has_its_mean(card: ModelCard, mean: object) -> None:
    first, second = convvit(), convvit()
    with torch.no_grad():
        second.pred_head_dict["cls"].bias.add_(1.0)  # type: ignore[operator, union-attr]
        alone = [model(images()) for model in (first, second)]
        joined = join([LoadedModel(model=m, card=card) for m in (first, second)], card).model(images())
    assert torch.allclose(joined, mean(alone), atol=1e-6)  # type: ignore[operator]


def test_heatmaps_average_each_pixels_probability_even_in_the_tails() -> None:
    card = replace(unetr_card(), task="landmark")
    members = [LoadedModel(model=unetr(seed), card=card) for seed in range(2)]
    mean = join(members, card).model.mean
    logits = [torch.tensor([-80.0, 0.0, 60.0, 2.0]), torch.tensor([-80.0, 0.0, 60.0, -2.0])]
    assert torch.allclose(mean(logits), torch.tensor([-80.0, 0.0, 60.0, 0.0]), atol=1e-4)


def test_one_member_is_no_ensemble() -> None:
    only = LoadedModel(model=unetr(), card=unetr_card())
    assert join([only], unetr_card()).model is only.model


def test_different_models_do_not_mix() -> None:
    with pytest.raises(WeightsError, match=r"\['segment/conv_unetr', 'segment/unet2d'\]"):
        join(
            [LoadedModel(model=unetr(), card=replace(unetr_card(), architecture=a)) for a in ("conv_unetr", "unet2d")],
            unetr_card(),
        )


def test_numbers_come_in_their_units() -> None:
    card = replace(classifier("regress"), training={"target": {"mean": 60.0, "std": 10.0}})
    assert in_target_units(torch.tensor([[0.5], [-1.0]]), card).tolist() == [[65.0], [50.0]]
    plain = replace(card, training={})
    assert in_target_units(torch.tensor([0.5]), plain).item() == 0.5
