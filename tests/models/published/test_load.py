"""Published files: strict loading, the reference's own outputs, ensembles of seeds, and names on the hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.models.loaded import LoadedModel, in_target_units
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.published.load import load_hub, load_published
from cinema_cmr.models.published.registry import REVISION
from cinema_cmr.models.states import hash_of, read_state, write_state
from cinema_cmr.models.weights import load_model, save_model

FINE_TUNED = {
    "segmentation/acdc_sax": ("segment", "sax", "seg_acdc_sax"),
    "segmentation/mnms2_lax_4c": ("segment", "lax_4c", "seg_mnms2_lax_4c"),
    "classification_cvd/acdc_sax": ("classify", "sax", "clf_cvd_acdc_sax"),
    "classification_cvd/mnms2_lax_4c": ("classify", "lax_4c", "clf_cvd_mnms2_lax_4c"),
    "regression_ef/acdc_sax": ("regress", "sax", "reg_ef_acdc_sax"),
    "landmark_coordinate/lax_2c": ("landmark", "lax_2c", "lm_coord_lax_2c"),
    "landmark_heatmap/lax_4c": ("landmark", "lax_4c", "lm_heat_lax_4c"),
}


def weights_file(parity: Path, name: str) -> Path:
    folder = parity / "finetuned" / name
    return folder / f"{folder.name}_0.safetensors"


def answer(loaded: LoadedModel, view: str, image: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        out = loaded.model({view: torch.from_numpy(image)})
    return out[view] if isinstance(out, dict) else out


@pytest.mark.realdata
@pytest.mark.parametrize("name", FINE_TUNED)
def test_published_outputs_at_both_sizes(parity: Path, name: str) -> None:
    task, view, _ = FINE_TUNED[name]
    file = weights_file(parity, name)
    loaded = load_model(file)
    assert loaded.card.task == task and list(loaded.card.grids) == [view]
    with np.load(file.with_name(f"{file.stem}_io.npz")) as arrays:
        for given, wanted in (("in", "out"), ("in_othersize", "out_othersize")):
            found = answer(loaded, view, arrays[given])
            assert found.shape == arrays[wanted].shape
            assert np.abs(found.numpy() - arrays[wanted]).max() < 1e-4


@pytest.mark.realdata
def test_every_key_is_used_and_in_float32(parity: Path) -> None:
    for file in sorted(parity.rglob("*.safetensors")):
        listed = json.loads((file.parent / "keys.json").read_text())
        own = load_published(file).model.state_dict()
        assert {name: [list(x.shape), "float32"] for name, x in own.items()} == listed


@pytest.mark.realdata
@pytest.mark.parametrize("name", FINE_TUNED)
def test_the_published_base_size_has_these_keys(parity: Path, tmp_path: Path, name: str) -> None:
    """The YAML of a small model, at the published sizes, builds what the published files hold."""
    from cinema_cmr.models.architectures import build
    from cinema_cmr.models.published.config import card_of
    from cinema_cmr.models.published.settings import read_config

    config: Any = read_config(parity / "finetuned" / name / "config.yaml")
    for group, size in (("sax", [192, 192, 16]), ("lax", [256, 256])):
        if group in config["data"]:
            config["data"][group]["patch_size"] = size
    network = config["model"][config["model"]["name"]]
    network.update(size="base", enc_conv_chans=[64, 128])
    if "dec_chans" in network:
        network["dec_chans"] = [32, 64, 128, 256, 512]
    card = card_of(config, name=name)
    with torch.device("meta"):
        own = build(card.architecture, card.config).state_dict()
    listed = json.loads((parity / "base_keys.json").read_text())[FINE_TUNED[name][2]]
    assert {key: list(x.shape) for key, x in own.items()} == listed


@pytest.mark.realdata
def test_cards_say_what_the_model_wants(parity: Path) -> None:
    segment = load_published(weights_file(parity, "segmentation/acdc_sax")).card
    grid = segment.grids[View.SAX]
    assert (grid.spacing_mm, grid.slice_spacing_mm, grid.size, grid.n_slices) == (1.0, 10.0, (64, 96), 5)
    assert segment.outputs == ("background", "rv", "myo", "lv")
    classify = load_published(weights_file(parity, "classification_cvd/acdc_sax")).card
    assert classify.outputs == ("DCM", "HCM", "MINF", "NOR", "RV") and classify.config["in_chans"] == 2
    assert load_published(weights_file(parity, "landmark_heatmap/lax_4c")).card.outputs == LANDMARKS[View.LAX_4C]
    regress = load_published(weights_file(parity, "regression_ef/acdc_sax")).card
    scale = regress.training["target"]
    assert in_target_units(torch.tensor([[1.0]]), regress).item() == pytest.approx(scale["mean"] + scale["std"])
    assert in_target_units(torch.tensor([[1.0]]), segment).item() == 1.0


@pytest.mark.realdata
def test_the_autoencoder_by_its_folder(parity: Path) -> None:
    loaded = load_model(parity / "pretrained")
    assert isinstance(loaded.model, CineMA) and loaded.card.task == "pretrain"
    assert list(loaded.card.grids) == ["sax", "lax_2c", "lax_3c", "lax_4c"]


@pytest.fixture
def seeds(parity: Path, tmp_path: Path) -> Path:
    """Three seeds of one segmentation model, and its YAML, in a folder."""
    source = weights_file(parity, "segmentation/mnms2_lax_4c")
    folder = tmp_path / "mnms2_lax_4c"
    folder.mkdir()
    shutil.copy(source.with_name("config.yaml"), folder / "config.yaml")
    generator = torch.Generator().manual_seed(0)
    for seed in range(3):
        state = read_state(source)
        changed = {k: x + 0.02 * seed * torch.randn(x.shape, generator=generator) for k, x in state.items()}
        write_state(folder / f"mnms2_lax_4c_{seed}.safetensors", changed)
    return folder


@pytest.mark.realdata
def test_a_folder_of_seeds_averages_probabilities(seeds: Path, tmp_path: Path) -> None:
    image = {"lax_4c": torch.rand(1, 1, 48, 64)}
    loaded = load_model(seeds)
    alone = [load_model(file).model(image)["lax_4c"].softmax(1) for file in sorted(seeds.glob("*.safetensors"))]
    assert len(loaded.members) == 3
    mean = torch.stack(alone).mean(0)
    assert torch.allclose(loaded.model(image)["lax_4c"].softmax(1), mean, atol=1e-6)
    assert not torch.allclose(alone[0], alone[2], atol=1e-3)
    again = load_model(save_model(tmp_path / "ours", loaded.model, loaded.card))
    assert len(again.members) == 3
    assert torch.equal(again.model(image)["lax_4c"], loaded.model(image)["lax_4c"])


@pytest.mark.realdata
def test_weights_of_another_configuration_are_refused(seeds: Path) -> None:
    config = seeds / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("views: lax_4c", "views: lax_2c"))
    with pytest.raises(WeightsError, match=r"missing: .*lax_2c.*; .*left over: .*lax_4c"):
        load_model(seeds)
    config.write_text(text.replace("out_chans: 4", "out_chans: 5"))
    with pytest.raises(WeightsError, match=r"model.out_chans is 5; expected 4"):
        load_model(seeds)
    config.unlink()
    with pytest.raises(WeightsError, match=r"no 'config.yaml' beside the weights"):
        load_model(seeds)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds no model; expected card\.json"):
        load_model(tmp_path)


@pytest.mark.realdata
def test_a_hub_name_gives_the_seeds_from_the_cache(
    seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CINEMA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("CINEMA_OFFLINE", "1")
    name = "hf:mathpluscode/CineMA/finetuned/segmentation/mnms2_lax_4c"
    with pytest.raises(WeightsError, match="offline mode is on"):
        load_hub(name)
    place = tmp_path / "cache" / "mathpluscode--CineMA" / REVISION / "finetuned" / "segmentation" / "mnms2_lax_4c"
    shutil.copytree(seeds, place)
    for file in list(place.iterdir()):
        (place / f"{file.name}.sha256").write_text(hash_of(file))
    loaded = load_model(name)
    assert len(loaded.members) == 3
    assert loaded.card.name == "finetuned/segmentation/mnms2_lax_4c"
    assert loaded.card.training["data"] == "M&Ms-2" and loaded.card.training["revision"]
    assert len(load_model(f"{name}/mnms2_lax_4c_1").members) == 1


def test_an_unknown_hub_name_lists_the_nearest() -> None:
    with pytest.raises(WeightsError, match="did you mean 'finetuned/segmentation/acdc_sax'"):
        load_model("hf:mathpluscode/CineMA/finetuned/segmentation/acdc_sa")


def test_a_folder_of_pickles_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(WeightsError, match=r"holds no model, only the pickle 'pytorch_model\.bin'"):
        load_published(tmp_path)
