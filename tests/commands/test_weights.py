"""`cinema weights` from the command line: listing, checking, and going to the published layout and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from small_models import scrambled, unetr, unetr_card

from cinema_cmr.cli import main
from cinema_cmr.core.card import SeenFrames, seen_facts
from cinema_cmr.disease.model import EMBEDDED_DISEASE_MODEL
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.baselines import UNet2d, UNet2dConfig
from cinema_cmr.models.cards import embedded_names
from cinema_cmr.models.published.registry import PUBLISHED
from cinema_cmr.models.weights import load_model, save_model


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    grids = {
        view: replace(grid, slice_spacing_mm=10.0, n_slices=3) if view == "sax" else grid
        for view, grid in unetr_card().grids.items()
    }
    return save_model(tmp_path / "small", unetr(), replace(unetr_card(), grids=grids, licence="MIT"))


def test_every_published_model_is_listed_without_being_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("weights", "list", "--json") == 0
    names = [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
    assert {f"hf:mathpluscode/CineMA/{name}" for name in PUBLISHED} <= set(names)


def test_a_licence_that_several_models_share_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("weights", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    models = [line for line in lines if not line.startswith(" ")]
    licences = [line for line in lines if line.startswith("    licence")]
    assert len(models) > 20 and "cinema-sax (on this machine): segment, sax" in models
    assert len(licences) < 9
    assert sum("as stated on the hub page" in line for line in licences) == 1


def test_a_good_model_is_verified_and_a_changed_one_not(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("weights", "verify", model) == 0
    assert "FAILED" not in capsys.readouterr().out
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    assert call("weights", "verify", model) == 5
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.medium
@pytest.mark.parametrize("name", [*embedded_names(), EMBEDDED_DISEASE_MODEL])
def test_every_bundled_model_is_verified(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("weights", "verify", name) == 0
    assert "FAILED" not in capsys.readouterr().out


@pytest.mark.medium
def test_weights_go_to_the_published_layout_and_come_back_equal(model: Path, tmp_path: Path) -> None:
    assert call("weights", "export", model, "-o", tmp_path / "published") == 0
    assert call("weights", "import", tmp_path / "published", "-o", tmp_path / "ours", "--name", "again") == 0
    one, two = (load_model(folder).model.state_dict() for folder in (model, tmp_path / "ours"))
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_a_card_is_shown_as_it_is_stored(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("weights", "show", model) == 0
    text = capsys.readouterr().out
    assert yaml.safe_load(text) == json.loads((model / "card.json").read_text(encoding="utf-8"))
    assert call("weights", "show", model, "--json") == 0
    assert json.loads(capsys.readouterr().out) == yaml.safe_load(text)
    assert call("weights", "show", EMBEDDED_DISEASE_MODEL) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["groups"] and "NC" in shown["licence"]
    assert call("weights", "show", "no-such-model") == 5


@pytest.mark.parametrize("words", [["verify"], ["export", "x"], ["import", "x"]])
def test_what_is_missing_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("weights", *words) == 2
    assert "needs" in capsys.readouterr().err


@pytest.mark.medium
def test_models_are_joined_with_an_offset_and_another_word_for_it_is_refused(model: Path, tmp_path: Path) -> None:
    loaded = load_model(model)
    other = save_model(tmp_path / "other", scrambled(loaded.model, seed=1), loaded.card)
    assert call("weights", "join", model, other, "--name", "both", "--offset", "lv=0.4", "-o", tmp_path / "both") == 0
    assert load_model(tmp_path / "both").card.logit_offsets == {"lv": 0.4}
    assert call("weights", "join", model, other, "--name", "x", "--offset", "lv:0.4", "-o", tmp_path / "x") == 2
    assert call("weights", "join", model, other, "--name", "x", "--offset", "aorta=1", "-o", tmp_path / "x") == 2


@pytest.mark.medium
def test_models_of_one_size_are_averaged_to_one_network(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_model(model)
    facts = {**loaded.card.training, **seen_facts([SeenFrames(learned=frozenset(["0123456789ab"]))])}
    other = save_model(tmp_path / "other", scrambled(loaded.model, seed=1), replace(loaded.card, training=facts))
    words = (model, other, "--name", "mean", "--offset", "lv=0.4", "-o", tmp_path / "mean")
    assert call("weights", "average", *words) == 0
    mean = load_model(tmp_path / "mean")
    assert mean.card.logit_offsets == {"lv": 0.4} and len(mean.card.training["members"]) == 2
    assert mean.card.seen_frames == SeenFrames(learned=frozenset(["0123456789ab"])), "of either, and stated once"
    assert all("seen" not in facts for facts in mean.card.training["members"].values())
    states = (one.state_dict() for one in (mean.model, load_model(model).model, load_model(other).model))
    for found, first, second in zip(*(state.values() for state in states), strict=True):
        assert torch.allclose(found, (first + second) / 2, atol=2e-3)
    assert call("weights", "average", model, "cinema-sax", "--name", "x", "-o", tmp_path / "x") == 5
    assert call("weights", "average", model, "-o", tmp_path / "x") == 2
    assert "needs two or more" in capsys.readouterr().err


@pytest.mark.medium
def test_a_u_net_is_narrowed_with_the_images_of_a_data_set(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("phantom", "-n", 6, "--frames", 2, "--views", "sax", "-o", tmp_path / "six") == 0
    config = UNet2dConfig(out_chans=4, chans=(4, 6, 8, 8, 8))
    card = replace(load_model("cinema-sax").card, config=config_values(config))
    wide = save_model(tmp_path / "wide", scrambled(UNet2d(config)), card)
    words = ("--chans", "3,4,5,6,6", "--data", tmp_path / "six", "--name", "slim", "-o", tmp_path / "slim")
    capsys.readouterr()
    assert call("weights", "narrow", wide, *words, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["name"] == "slim" and set(made["agreement"]) == {"rv", "myo", "lv"}
    slim = load_model(tmp_path / "slim")
    assert slim.card.config["chans"] == [3, 4, 5, 6, 6] and slim.card.training["narrowed"]["n_studies"] >= 4
    assert call("weights", "narrow", model, *words, "--overwrite") == 5


def test_a_model_in_the_way_of_a_narrowed_one_is_found_before_the_data_is_read(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--chans", "3,4,5,6,6", "--data", f"acdc:{tmp_path / 'nowhere'}", "--name", "slim", "-o", model)
    assert call("weights", "narrow", "cinema-sax", *words) == 3
    assert "'card.json' exists already" in capsys.readouterr().err


def test_a_network_that_cannot_be_narrowed_is_found_before_the_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--data", f"acdc:{tmp_path / 'nowhere'}", "--name", "slim", "-o", tmp_path / "slim")
    assert call("weights", "narrow", "cinema-small", "--chans", "3,4,5,6,6", *words) == 5
    assert "trained for the task 'pretrain'" in capsys.readouterr().err
    assert call("weights", "narrow", "cinema-sax", "--chans", "8,8", *words) == 2
    assert "channels [8, 8]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["narrow", "cinema-sax", "-o", "x", "--name", "x", "--chans", "8,8"], "got no data"),
        (["narrow", "cinema-sax", "-o", "x", "--name", "x", "--data", "acdc:x"], "got no channels"),
        (["narrow", "cinema-sax", "-o", "x", "--chans", "8,8", "--data", "acdc:x"], "got no name"),
        (["narrow", "cinema-sax", "-o", "x", "--name", "x", "--chans", "8;8", "--data", "acdc:x"], "whole numbers"),
        (["verify", "cinema-sax", "--chans", "8,8"], "belong to narrow"),
    ],
)
def test_words_of_narrow_that_are_missing_or_wrong(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("weights", *words) == 2
    assert said in capsys.readouterr().err


def test_a_packed_model_states_its_licence_and_its_pin(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.cinema.zip"
    assert call("weights", "pack", model, "-o", file) == 0
    text = capsys.readouterr().out
    pin = load_model(model).card.weights_sha256[:12]
    assert "licence: MIT" in text and f"--model {file}@{pin}" in text
    assert load_model(f"{file}@{pin}").card == load_model(model).card
    assert call("weights", "pack", model, "-o", file) == 3
    assert call("weights", "verify", file) == 0
