"""A network with its card, and several joined under one card."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import convvit, images, unetr, unetr_card
from torch import nn

from cinema_cmr.core.card import ModelCard, OutputKind, TaskName
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.cards import embedded_folder, read_card
from cinema_cmr.models.ensemble import Ensemble
from cinema_cmr.models.loaded import LoadedModel, in_target_units, join
from cinema_cmr.models.weights import load_model


def whole_image_card(task: TaskName) -> ModelCard:
    return replace(unetr_card(), task=task, architecture="conv_vit")


@pytest.mark.medium
def test_joined_segmentations_average_softmax() -> None:
    card = unetr_card()
    members = {str(seed): LoadedModel(model=unetr(seed), card=card) for seed in range(3)}
    joined = join(members, card)
    assert isinstance(joined.model, Ensemble) and len(joined.members) == 3 and not joined.model.training
    with torch.no_grad():
        alone = [member.model(images()) for member in members.values()]
        for view, logits in joined.model(images()).items():
            mean = torch.stack([x[view].softmax(1) for x in alone]).mean(0)
            assert torch.allclose(logits.softmax(1), mean, atol=1e-6)
            assert torch.allclose(logits.exp().sum(1), torch.ones(()), atol=1e-5)


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        (unetr_card(), "classes"),
        (whole_image_card("classify"), "classes"),
        (whole_image_card("regress"), "numbers"),
        (whole_image_card("landmark"), "coordinates"),
        (replace(unetr_card(), task="landmark"), "heatmaps"),
        (replace(unetr_card(), task="pretrain"), "tokens"),
    ],
)
def test_a_card_states_the_kind_of_output(card: ModelCard, kind: OutputKind) -> None:
    assert card.output_kind == kind
    two = {name: LoadedModel(model=unetr(), card=card) for name in "ab"}
    assert join(two, card).card.output_kind == kind


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_outputs_of_whole_images_are_averaged(task: TaskName) -> None:
    first, second = convvit(), convvit()
    card = whole_image_card(task)
    with torch.no_grad():
        second.pred_head_dict["cls"].bias.add_(1.0)  # type: ignore[operator, union-attr]
        alone = torch.stack([model(images()) for model in (first, second)])
        members = {name: LoadedModel(model=model, card=card) for name, model in (("a", first), ("b", second))}
        joined = join(members, card).model(images())
    mean = alone.softmax(2).mean(0).log() if task == "classify" else alone.mean(0)
    assert torch.allclose(joined, mean, atol=1e-6)


def test_one_member_is_returned_as_it_is() -> None:
    only = LoadedModel(model=unetr(), card=unetr_card())
    joined = join({"only": only}, replace(unetr_card(), name="new"))
    assert joined.model is only.model and list(joined.members) == ["new"]


@pytest.mark.medium
def test_models_with_different_outputs_are_not_joined() -> None:
    cards = {"a": unetr_card(), "b": whole_image_card("regress")}
    with pytest.raises(WeightsError, match=r"outputs \['classes', 'numbers'\]; expected one kind"):
        join({name: LoadedModel(model=unetr(), card=card) for name, card in cards.items()}, unetr_card())


def test_numbers_are_converted_to_the_unit_of_the_target() -> None:
    card = replace(whole_image_card("regress"), training={"target": {"mean": 60.0, "std": 10.0}})
    assert in_target_units(torch.tensor([[0.5], [-1.0]]), card).tolist() == [[65.0], [50.0]]
    plain = replace(card, training={})
    assert in_target_units(torch.tensor([0.5]), plain).item() == 0.5


@pytest.mark.medium
def test_a_tensor_gets_a_prediction_or_an_error_that_names_the_form() -> None:
    loaded = load_model("cinema-sax")
    for kind in (torch.float32, torch.float64, torch.int16):
        assert loaded(torch.zeros(1, 1, 32, 48, 2, dtype=kind)).shape == (1, 4, 32, 48, 2)
    assert set(loaded({"sax": torch.zeros(1, 1, 32, 32, 1)})) == {"sax"}
    form = r"expected a tensor, or a mapping of 'sax' to tensors \(b, c, x, y, z\)"
    for wrong in (torch.zeros(32, 32, 3), torch.zeros(1, 2, 32, 32, 1), [[0.0]], {"sax": [0.0]}, {"lax_4c": None}):
        with pytest.raises(UsageError, match=form):
            loaded(wrong)
    with pytest.raises(UsageError, match="multiples of 16 from 32 on"):
        loaded(torch.zeros(1, 1, 100, 90, 3))


class Failing(nn.Module):
    """A network that fails as torch does."""

    def __init__(self, message: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.message = message

    def forward(self, images: object) -> None:
        raise RuntimeError(self.message)


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: device-side assert triggered",
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes, a size",
        "Input type (float) and bias type (c10::Half) should be the same",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "a defect of the network",
    ],
)
def test_what_has_nothing_to_do_with_sizes_is_raised_as_it_is(message: str) -> None:
    loaded = LoadedModel(model=Failing(message), card=read_card(embedded_folder("cinema-sax")))
    with pytest.raises(RuntimeError) as error:
        loaded(torch.zeros(1, 1, 32, 32, 1))
    assert str(error.value) == message


def test_sizes_that_do_not_fit_are_named_with_the_network_s_reason() -> None:
    network = nn.Conv2d(3, 1, 3)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = network

        def forward(self, images: dict[str, torch.Tensor]) -> torch.Tensor:
            return self.conv(images["sax"][..., 0])  # type: ignore[no-any-return]

    loaded = LoadedModel(model=Network(), card=read_card(embedded_folder("cinema-sax")))
    with pytest.raises(UsageError, match=r"do not fit the network \(Given groups=1.*3 channels.*\); expected a tensor"):
        loaded(torch.zeros(1, 1, 32, 32, 1))


def test_images_on_another_device_are_named_before_they_are_tried() -> None:
    loaded = LoadedModel(model=Failing("never run"), card=read_card(embedded_folder("cinema-sax")))
    with pytest.raises(UsageError, match=r"images on meta and a network on cpu; expected one device: move the images"):
        loaded(torch.zeros(1, 1, 32, 32, 1, device="meta"))
