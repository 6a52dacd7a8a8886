"""ConvViT: the answer averages its heads; any size, any subset of views."""

from __future__ import annotations

import pytest
import torch
from small_models import SIZES, VIT, convvit, images

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.blocks.layers import to_slices
from cinema_cmr.models.convvit import ConvViT, ConvViTConfig


def test_the_answer_is_the_mean_of_its_heads() -> None:
    model, batch = convvit(), images()
    with torch.no_grad():
        stems = {view: model.enc_down_dict[view](to_slices(x)) for view, x in batch.items()}
        cls, encoded = model.encoder([stem.tokens for stem in stems.values()])
        answers = [model.pred_head_dict["cls"](cls[:, 0])]
        for view, tokens in zip(stems, encoded, strict=True):
            fused = model.enc_fusion_dict[view](tokens, stems[view].levels)
            answers.append(model.pred_head_dict[view](fused.mean(1)))
        assert torch.allclose(model(batch), sum(answers) / 3, atol=1e-5)


@pytest.mark.parametrize(
    ("read", "heads"), [("all", {"sax", "lax_4c", "cls"}), ("views", set(SIZES)), ("cls", {"cls"})]
)
def test_heads_that_are_not_read_are_not_there(read: str, heads: set[str]) -> None:
    model = convvit(read=read).train()
    assert set(model.pred_head_dict) == heads
    model(images()).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_a_batch_equals_its_samples_one_by_one() -> None:
    model, batch = convvit(), images()
    with torch.no_grad():
        together = model(batch)
        alone = [model({view: x[i : i + 1] for view, x in batch.items()})[0] for i in range(2)]
    assert together.shape == (2, 5)
    assert torch.allclose(together, torch.stack(alone), atol=1e-5)


def test_any_size_and_any_subset_of_views() -> None:
    with torch.no_grad():
        assert convvit()({"lax_4c": torch.rand(3, 1, 40, 70)}).shape == (3, 5)
        assert convvit(in_chans=2)(images(chans=2)).shape == (2, 5)


def test_dropout_acts_in_training_only() -> None:
    model = ConvViT(ConvViTConfig(**{**vars(VIT), "dropout": 0.9, "drop_path": 0.0})).train()
    with torch.no_grad():
        assert not torch.equal(model(images()), model(images()))
        assert torch.equal(model.eval()(images()), model(images()))


def test_wrong_calls_are_named() -> None:
    model = convvit()
    assert model.views == (View.SAX, View.LAX_4C)
    with pytest.raises(UsageError, match=r"views \[\] given"):
        model({})
    with pytest.raises(UsageError, match="0 outputs"):
        ConvViTConfig(**{**vars(VIT), "out_chans": 0})
