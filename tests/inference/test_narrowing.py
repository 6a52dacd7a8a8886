"""A narrower segmentation model from images of people, saved as a start for fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from cinema_cmr.core.errors import InputError, OutputExistsError, UsageError, WeightsError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.inference.narrowing import narrow_model
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model, model_card
from cinema_cmr.phantom.phantom import make_phantom

CHANS = [3, 4, 4, 6, 6]


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    return [make_phantom(seed, views=[View.SAX], n_frames=4).study for seed in range(4)]


@pytest.fixture
def wide() -> LoadedModel:
    """A small U-Net with the grid and labels of `cinema-sax`, untrained."""
    config = UNet2dConfig(out_chans=4, chans=(4, 6, 8, 8, 8), across=3)
    torch.manual_seed(0)
    card = replace(load_model("cinema-sax").card, name="wide", config=config_values(config), licence="of the wide one")
    return LoadedModel(model=UNet2d(config).eval(), card=card)


def test_a_narrowed_model_is_saved_as_a_start(wide: LoadedModel, studies: list[Study], tmp_path: Path) -> None:
    made = narrow_model(wide, tmp_path / "slim", CHANS, studies, name="slim")
    loaded = load_model(tmp_path / "slim")
    assert loaded.card == made.card and made.card.config["chans"] == CHANS and made.card.name == "slim"
    assert made.card.licence == "of the wide one" and made.card.grids == wide.card.grids
    assert made.card.training["narrowed"] == {
        "from": f"wide {wide.card.weights_sha256[:12]}",
        "n_studies": 4,
        "agreement": made.agreement,
    }
    assert set(made.agreement) == {"rv", "myo", "lv"}
    assert "validation" in wide.card.training and made.card.training["data"] == wide.card.training["data"]
    assert not {"validation", "validation_native_grid", "command", "members"} & set(made.card.training)
    (flag,) = Segmenter(loaded, choose_runtime("cpu")).model_flags()
    assert flag.code == "masks-experimental" and "narrowed and not trained since" in flag.message
    with pytest.raises(OutputExistsError):  # before the images are looked at
        narrow_model(wide, tmp_path / "slim", CHANS, [], name="slim")


def test_the_agreement_is_that_of_images_that_were_not_fitted_to(
    wide: LoadedModel, studies: list[Study], tmp_path: Path
) -> None:
    same = narrow_model(wide, tmp_path / "same", [4, 6, 8, 8, 8], studies, name="same")
    slim = narrow_model(wide, tmp_path / "slim", [1, 1, 1, 1, 1], studies, name="slim")
    mean = {made.card.name: sum(made.agreement.values()) / 3 for made in (same, slim)}
    assert mean["same"] > 0.97 and mean["slim"] < mean["same"] - 0.05


@pytest.mark.medium
def test_a_model_of_landmarks_is_narrowed_in_its_own_views(tmp_path: Path) -> None:
    """At its own widths it finds the same points: it sees the planes as the predictor shows them."""
    planes = [make_phantom(seed, views=[View.LAX_2C, View.LAX_4C], n_frames=3).study for seed in range(4)]
    own = model_card("cinema-lax").config["chans"]
    same = narrow_model("cinema-lax", tmp_path / "same", own, planes, name="same")
    slim = narrow_model("cinema-lax", tmp_path / "slim", [3, 6, 8, 8, 8], planes, name="slim")
    assert same.agreement["median distance, mm"] < 0.5 < slim.agreement["median distance, mm"]
    assert model_card(tmp_path / "slim").outputs == model_card("cinema-lax").outputs


def test_other_networks_and_too_few_images_are_errors(wide: LoadedModel, studies: list[Study], tmp_path: Path) -> None:
    unread: Iterator[Study] = (pytest.fail("a study was read before the model was checked") for _ in "x")
    with pytest.raises(WeightsError, match="trained for the task 'pretrain'"):
        narrow_model("cinema-small", tmp_path / "a", CHANS, unread, name="a")
    other = replace(wide, model=nn.Conv2d(1, 4, 1), card=replace(wide.card, architecture="conv"))
    with pytest.raises(WeightsError, match="'wide' is a conv; expected one U-Net"):
        narrow_model(other, tmp_path / "a", CHANS, unread, name="a")
    with pytest.raises(UsageError, match="expected 5 numbers up to these"):
        narrow_model(wide, tmp_path / "a", [8, 8, 8, 8, 8], unread, name="a")
    with pytest.raises(InputError, match="1 images of the views sax in 1 studies"):
        narrow_model("cinema-sax", tmp_path / "a", CHANS, studies[:1], name="a")
    assert not (tmp_path / "a").exists()
