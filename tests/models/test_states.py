"""Weights files are whole, hashed and matched key by key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from cinema_cmr.core.errors import OutputExistsError, WeightsError
from cinema_cmr.models.states import (
    check_hash,
    fill,
    floats_as,
    hash_of,
    mean_state,
    read_state,
    replacing_folder,
    write_state,
)


def test_tensors_come_back_and_the_hash_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    shared = torch.arange(6.0).reshape(2, 3)
    state = {"a": shared, "b": shared, "turned": shared.T, "count": torch.tensor(3)}
    found = write_state(path, state)
    assert found == hash_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    check_hash(path, found)
    again = read_state(path)
    assert set(again) == set(state) and all(torch.equal(again[key], state[key]) for key in state)
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode, "others may read it as any file"


def test_a_wrong_hash_and_a_missing_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_state(path, {"a": torch.zeros(2)})
    with pytest.raises(WeightsError, match="expected one, and the card names none"):
        check_hash(path, "")
    with pytest.raises(WeightsError, match=r"no weights at 'other\.safetensors'"):
        read_state(tmp_path / "other.safetensors")


def test_an_interrupted_write_leaves_the_old_files(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    write_state(folder / "w.safetensors", {"a": torch.zeros(2)})
    (folder / "notes.txt").write_text("mine")
    before = (folder / "w.safetensors").read_bytes()

    def cut_off() -> None:
        with replacing_folder(folder, ("w.safetensors",), overwrite=True) as draft:
            (draft / "w.safetensors").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert (folder / "w.safetensors").read_bytes() == before
    with pytest.raises(OutputExistsError, match="exists already"), replacing_folder(folder, ("w.safetensors",)):
        pass
    with replacing_folder(folder, ("w.safetensors",), overwrite=True) as draft:
        (draft / "w.safetensors").write_bytes(b"new")
    assert (folder / "w.safetensors").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["model", "notes.txt", "w.safetensors"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bad: float, tmp_path: Path) -> None:
    write_state(tmp_path / "w.safetensors", {"good": torch.zeros(2), "head": torch.tensor([1.0, bad])})
    with pytest.raises(WeightsError, match="NaN or infinite: head"):
        read_state(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["model.pt", "model.PTH", "last.ckpt", "x.pkl", "pytorch_model.bin"])
def test_a_pickle_is_refused_in_words_and_not_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"is a pickle .* can run code when it is read"):
        read_state(tmp_path / name)


def test_every_difference_of_keys_is_named_and_the_network_is_left_alone() -> None:
    model = nn.Linear(2, 3)
    before = model.weight.clone()
    wrong = {"weight": torch.zeros(3, 4), "bais": torch.zeros(3)}
    with pytest.raises(WeightsError) as caught:
        fill(model, wrong, what="these weights")
    told = str(caught.value)
    assert "1 missing: bias" in told and "1 left over: bais" in told
    assert "1 of another shape: weight (3, 4) for (3, 2)" in told
    assert torch.equal(model.weight, before)


def test_long_lists_of_keys_are_shortened() -> None:
    with pytest.raises(WeightsError, match=r"20 missing: .* and 14 more"):
        fill(nn.Sequential(*[nn.Linear(1, 1) for _ in range(10)]), {}, what="no weights")


def test_whole_numbers_keep_their_type_and_too_large_ones_are_refused() -> None:
    cast = floats_as({"a": torch.ones(2), "n": torch.tensor(7)}, torch.float16)
    assert cast["a"].dtype == torch.float16 and cast["n"].dtype == torch.int64
    with pytest.raises(WeightsError, match="big is not finite"):
        floats_as({"big": torch.tensor([1e6])}, torch.float16)


def test_the_mean_of_states_keeps_types_and_integers() -> None:
    one = {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)}
    other = {"w": torch.tensor([2.0, 6.0]), "n": torch.tensor(3)}
    mean = mean_state([one, other])
    assert mean["w"].tolist() == [1.5, 4.0] and mean["w"].dtype == torch.float32 and int(mean["n"]) == 3
    assert one["w"].tolist() == [1.0, 2.0]
