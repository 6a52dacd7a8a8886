"""A loaded model: predictions of studies, outputs for tensors, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from oracles import annotated, heart, segmenter

import cinema_cmr as cmr
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.pipeline.task_model import Model, loaded_of, unwrapped

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


def test_an_absent_device_is_refused_before_the_first_image() -> None:
    with pytest.raises(cmr.UsageError, match="device 'cuda' is not available"):
        cmr.load_model("cinema-lax", device="cuda")


def test_network_and_images_are_on_the_chosen_device(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(device="meta", precision="fp32")
    monkeypatch.setattr("cinema_cmr.pipeline.task_model.choose_runtime", lambda device, precision: runtime)
    model = cmr.load_model("cinema-lax")
    assert model.device == "meta" and {one.device.type for one in model.network.parameters()} == {"meta"}
    images = torch.zeros(1, 1, *model.card.grids[cmr.View.LAX_4C].size)
    outputs = model({"lax_4c": images})["lax_4c"]
    assert outputs.device.type == "meta"


def test_every_form_of_a_model_is_taken(model: Model, tmp_path: Path) -> None:
    assert unwrapped(model) is unwrapped(model.loaded) is loaded_of(model) is model.loaded
    assert unwrapped(tmp_path) == str(tmp_path) and loaded_of("cinema-lax").card.name == "cinema-lax"
