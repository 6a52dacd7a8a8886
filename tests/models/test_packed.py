"""A model in one file is the same model; a file that was changed, or is no such file, is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from small_models import unetr, unetr_card

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.cards import CARD_FILE, WEIGHTS_FILE
from cinema_cmr.models.catalogue import import_weights, pack_weights, verify_weights
from cinema_cmr.models.packed import is_packed, pack_folder, unpacked
from cinema_cmr.models.weights import load_model, save_model, weights_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_model(tmp_path / "model", unetr(), unetr_card())


def test_one_file_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "lab.cinema.zip"
    card = pack_folder(folder, file)
    own, back = (load_model(source) for source in (folder, file))
    assert own.card == back.card == card and is_packed(file) and not is_packed(folder)
    states = own.model.state_dict(), back.model.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert weights_hash(file) == weights_hash(folder) == card.weights_sha256
    pack_folder(folder, tmp_path / "again.zip")
    assert file.read_bytes() == (tmp_path / "again.zip").read_bytes()


@pytest.mark.medium
def test_a_packed_model_is_imported_verified_and_packed_again(folder: Path, tmp_path: Path) -> None:
    pack_weights(folder, tmp_path / "a.zip")
    imported = import_weights(tmp_path / "a.zip", tmp_path / "imported", name="lab-lv")
    assert imported.name == "lab-lv" and load_model(tmp_path / "imported").card.task == "segment"
    assert [check.name for check in verify_weights(tmp_path / "a.zip") if not check.passed] == ["licence"]
    pack_weights(tmp_path / "a.zip", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def rewritten(file: Path, target: Path, **changes: bytes) -> Path:
    """The packed model with other content of some members, by stem."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as new:
        for name in source.namelist():
            new.writestr(name, changes.get(name.partition(".")[0], source.read(name)))
    return target


def test_what_was_changed_or_is_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.zip"
    pack_folder(folder, file)
    card = (folder / CARD_FILE).read_bytes()
    with pytest.raises(WeightsError, match="SHA-256"):
        load_model(rewritten(file, tmp_path / "1.zip", card=card.replace(b"segment", b"Segment")))
    with pytest.raises(WeightsError, match="cannot be read as a packed model"):
        load_model(rewritten(file, tmp_path / "2.zip", sha256=b"no JSON"))
    (tmp_path / "3.zip").write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(WeightsError, match="cannot be read as a packed model"):
        load_model(tmp_path / "3.zip")
    with zipfile.ZipFile(tmp_path / "4.zip", "w") as other:
        other.writestr("scan.dcm", b"")
    with pytest.raises(WeightsError, match="a zip of other files"):
        load_model(tmp_path / "4.zip")
    with zipfile.ZipFile(tmp_path / "5.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in (CARD_FILE, WEIGHTS_FILE, "sha256.json"):
            bomb.writestr(name, bytes(1 << 20))
    with pytest.raises(WeightsError, match="compressed or oversized"), unpacked(tmp_path / "5.zip"):
        pass
    (folder / WEIGHTS_FILE).write_bytes(b"other")
    with pytest.raises(WeightsError, match="SHA-256"):
        pack_folder(folder, tmp_path / "6.zip")


@pytest.mark.parametrize("name", ["state.pt", "state.pth", "run.ckpt"])
def test_a_pickle_of_torch_is_called_one_though_it_is_a_zip(name: str, tmp_path: Path) -> None:
    torch.save(unetr().state_dict(), tmp_path / name)
    assert zipfile.is_zipfile(tmp_path / name)
    with pytest.raises(WeightsError, match=f"'{name}' is a pickle .*never opened; expected .safetensors"):
        load_model(tmp_path / name)
