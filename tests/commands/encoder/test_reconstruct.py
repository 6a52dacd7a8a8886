"""`cinema reconstruct` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import unetr, unetr_card
from stored_hearts import GRIDS, NETWORK, stored_heart

from cinema_cmr.cli import main
from cinema_cmr.core.card import ModelCard
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = config_values(NETWORK)
    card = ModelCard(name="m", task="pretrain", architecture="cinema_mae", config=config, grids=GRIDS)
    return save_model(tmp_path_factory.mktemp("model") / "m", CineMA(NETWORK), card)


def call(*words: object) -> int:
    return main([str(word) for word in words])


def test_a_picture_and_its_errors(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = stored_heart(tmp_path, "x", n_frames=4).path
    words = ["reconstruct", study, "--model", model, "--json"]
    errors = []
    for name, more in (("a", []), ("b", []), ("c", ["--frame", 2]), ("d", ["--seed", 1])):
        assert call(*words, *more, "-o", tmp_path / f"{name}.png") == 0
        errors.append(json.loads(capsys.readouterr().out)["mean_squared_error"])
    assert errors[0] == errors[1] != errors[2] and errors[0] != errors[3]
    assert set(errors[0]) == {"sax", "lax_4c"} and all(value > 0 for value in errors[0].values())
    a, b, c, d = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "abcd")
    assert np.array_equal(a, b) and not np.array_equal(a, c) and not np.array_equal(a, d)
    assert np.array_equal(a[:, :36], d[:, :36])  # the input, whatever is hidden of it


def test_what_makes_no_picture_is_told(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = stored_heart(tmp_path, "x", n_frames=4).path
    save_model(tmp_path / "unetr", unetr(), unetr_card())
    picture = tmp_path / "p.png"
    for words, code, said in (
        (["-o", tmp_path / "p.jpg", "--model", model], 2, "ends in .png"),
        (["-o", picture, "--model", model, "--frame", 4], 2, "frames 0 to 3"),
        (["-o", picture, "--model", model, "--mask-ratio", 0], 2, "mask ratio 0"),
        (["-o", picture, "--model", tmp_path / "unetr"], 5, "expected an autoencoder"),
    ):
        assert call("reconstruct", study, *words) == code
        assert said in capsys.readouterr().err
    assert not picture.exists()


@pytest.mark.medium
def test_without_a_model_the_packages_own_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = stored_heart(tmp_path, "x", n_frames=4).path
    words = ["reconstruct", study, "--json"]
    assert call(*words, "-o", tmp_path / "own.png") == 0
    assert call(*words, "-o", tmp_path / "named.png", "--model", "cinema-small") == 0
    own, named = map(json.loads, capsys.readouterr().out.splitlines())
    assert own["mean_squared_error"] == named["mean_squared_error"]
