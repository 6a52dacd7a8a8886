"""A model saved and loaded answers the same; what does not fit its card is refused with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from small_models import UNETR, images, unetr, unetr_card

from cinema_cmr.core.card_json import CARD_VERSION
from cinema_cmr.core.errors import OutputExistsError, WeightsError
from cinema_cmr.models import cards
from cinema_cmr.models.cards import CARD_FILE, WEIGHTS_FILE, Precision, embedded_folder, embedded_names, read_card
from cinema_cmr.models.states import hash_of, read_state, write_state
from cinema_cmr.models.unetr import ConvUNetR
from cinema_cmr.models.weights import load_model, save_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder that no test changes."""
    return save_model(tmp_path_factory.mktemp("saved") / "model", unetr(), unetr_card())


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """The saved model, the test's own."""
    return shutil.copytree(saved, tmp_path / "model")


def change_card(folder: Path, **changes: object) -> None:
    path = folder / CARD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_saved_model_answers_the_same(folder: Path) -> None:
    loaded = load_model(folder)
    with torch.no_grad():
        own, again = unetr()(images()), loaded.model(images())
    assert not loaded.model.training
    assert all(torch.equal(own[view], again[view]) for view in own)
    assert loaded.card.weights_sha256 == hash_of(folder / WEIGHTS_FILE)
    assert loaded.members == {loaded.card.name: loaded}
    assert sorted(path.name for path in folder.iterdir()) == [CARD_FILE, WEIGHTS_FILE]


def test_a_file_of_the_folder_names_it_too(folder: Path) -> None:
    assert load_model(folder / WEIGHTS_FILE).card == load_model(str(folder)).card


@pytest.mark.medium
@pytest.mark.parametrize(("precision", "rounding"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_half_precision_is_smaller_and_close(tmp_path: Path, precision: Precision, rounding: float) -> None:
    full = save_model(tmp_path / "full", unetr(), unetr_card())
    half = save_model(tmp_path / "half", unetr(), unetr_card(), precision=precision)
    sizes = [(path / WEIGHTS_FILE).stat().st_size for path in (half, full)]
    # The header of key names weighs much in so small a file.
    assert sum(x.numel() for x in unetr().parameters()) * 1.9 < sizes[1] - sizes[0]
    own, again = unetr().state_dict(), load_model(half).model.state_dict()
    for key in own:
        assert again[key].dtype == torch.float32
        assert bool(((own[key] - again[key]).abs() <= rounding * own[key].abs() + 1e-7).all()), key


def test_position_tables_are_made_anew(folder: Path) -> None:
    assert not [key for key in read_state(folder / WEIGHTS_FILE) if "pos_embed" in key]
    own = unetr().state_dict()
    again = load_model(folder).model.state_dict()
    assert list(own) == list(again) and all(torch.equal(own[key], again[key]) for key in own)


def test_a_changed_table_is_kept(tmp_path: Path) -> None:
    model = unetr()
    model.enc_down_dict["sax"].pos_embed += 1  # type: ignore[union-attr, operator]
    loaded = load_model(save_model(tmp_path / "model", model, unetr_card())).model
    key = "enc_down_dict.sax.pos_embed"
    assert torch.equal(loaded.state_dict()[key], model.state_dict()[key])


@pytest.mark.medium
def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    with pytest.raises(OutputExistsError, match="exists already"):
        save_model(folder, unetr(1), unetr_card())
    assert torch.equal(
        load_model(folder).model.state_dict()["pred_head_dict.sax.bias"], unetr().pred_head_dict["sax"].bias
    )
    save_model(folder, unetr(1), unetr_card("second"), overwrite=True)
    assert load_model(folder).card.name == "second"


def test_a_cut_off_save_is_refused_not_misread(folder: Path) -> None:
    """New weights beside the old card, as after a kill between the two."""
    write_state(folder / WEIGHTS_FILE, unetr(1).state_dict())
    with pytest.raises(WeightsError, match=r"has SHA-256 .* expected"):
        load_model(folder)


def test_one_changed_byte_is_refused(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS_FILE).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(data)
    with pytest.raises(WeightsError, match="changed or copied in part"):
        load_model(folder)


@pytest.mark.parametrize("name", [CARD_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=name):
        load_model(folder)


def test_a_card_of_another_config_is_refused(folder: Path) -> None:
    config = dict(read_card(folder).config)
    change_card(folder, config={**config, "out_chans": 5})
    with pytest.raises(WeightsError, match=r"4 of another shape: pred_head_dict.sax.weight \(4, 4, 1, 1, 1\) for \(5"):
        load_model(folder)
    change_card(folder, config={**config, "image_sizes": {"sax": [32, 48, 3]}})
    with pytest.raises(WeightsError, match=r"left over: .*lax_4c"):
        load_model(folder)
    change_card(folder, config={**config, "colour": "blue"})
    with pytest.raises(WeightsError, match="unknown key"):
        load_model(folder)


def test_a_card_must_describe_the_network_it_is_saved_with(tmp_path: Path) -> None:
    one_view = ConvUNetR(type(UNETR)(**{**vars(UNETR), "image_sizes": {"sax": (32, 48, 3)}}))
    with pytest.raises(WeightsError, match=r"missing: .*lax_4c"):
        save_model(tmp_path / "model", one_view, unetr_card())
    assert not (tmp_path / "model").exists()


def test_a_number_out_of_range_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    model = unetr()
    with torch.no_grad():
        model.pred_head_dict["sax"].bias.fill_(1e6)  # type: ignore[operator]
    with pytest.raises(WeightsError, match=r"not finite as torch\.float16"):
        save_model(tmp_path / "model", model, unetr_card(), precision="float16")
    assert not (tmp_path / "model").exists()


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(unetr().state_dict(), path)
    with pytest.raises(WeightsError, match="can run code"):
        read_state(path)
    disguised = path.rename(tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match="cannot be read"):
        read_state(disguised)


def test_a_model_in_the_package_has_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "embedded_root", lambda: folder.parent)
    assert embedded_names() == ("model",)
    assert load_model("model").card == read_card(folder)
    with pytest.raises(WeightsError, match=r"no model 'modle'; .* \(model\)"):
        load_model("modle")


@pytest.mark.medium
def test_every_model_in_the_package_loads() -> None:
    for name in embedded_names():
        loaded = load_model(name)
        assert loaded.card.name == name and set(loaded.card.grids)
        stored = json.loads((embedded_folder(name) / CARD_FILE).read_text(encoding="utf-8"))
        assert stored["card_version"] == CARD_VERSION
