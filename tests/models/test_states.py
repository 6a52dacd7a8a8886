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
    read_state,
    replacing,
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


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_state(path, {"a": torch.zeros(2)})
    before = path.read_bytes()

    def cut_off() -> None:
        with replacing(path, overwrite=True) as sibling:
            sibling.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputExistsError, match="exists already"):
        write_state(path, {"a": torch.ones(2)})


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
