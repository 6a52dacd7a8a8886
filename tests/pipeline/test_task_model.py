"""A loaded model: predictions of studies, outputs for tensors, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from oracles import annotated, heart, segmenter

import cinema_cmr as cmr
from cinema_cmr.pipeline.task_model import Model

EXPECTED = r"expected a tensor, or a mapping of 'sax' to tensors \(b, c, x, y, z\)"


@pytest.fixture
def model() -> Model:
    return Model(segmenter(size=(63, 59)).loaded, device="cpu", precision="fp32")


def test_study_is_predicted_on_its_own_grid(model: Model) -> None:
    study = annotated(heart((12.0, 10.0), n_slices=4)).study
    prediction = model.predict(study)[cmr.View.SAX]
    assert prediction.labels.shape == study["sax"].shape  # type: ignore[union-attr]


def test_tensor_and_mapping_give_the_same_outputs(model: Model) -> None:
    images = torch.zeros(2, 1, 63, 59, 3)
    assert model(images).shape == (2, 4, 63, 59, 3)
    assert torch.equal(model({"sax": images})["sax"], model(images))


@pytest.mark.parametrize("images", [torch.zeros(63, 59), {"lax_4c": torch.zeros(2, 1, 63, 59)}, {}, None])
def test_other_images_are_refused_with_the_expected_form(model: Model, images: object) -> None:
    with pytest.raises(cmr.UsageError, match=EXPECTED):
        model(images)  # type: ignore[arg-type]


def test_repr_names_model_task_and_views(model: Model) -> None:
    assert repr(model) == "Model('oracle': segment, none, views sax)"
