"""A checkpoint is whole or absent, and reading one never runs foreign code."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest
import torch
from dead_process import DEAD, name_of

from cinema_cmr.core.errors import UnreadableFileError
from cinema_cmr.engine import checkpoint
from cinema_cmr.engine.checkpoint import clear_unfinished, read_checkpoint, write_checkpoint
from cinema_cmr.files.leftovers import temporary_name


def test_what_is_written_is_read_and_nothing_else_is_left(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
    write_checkpoint(tmp_path, {"step": 3, "model": {"w": torch.arange(4.0)}})
    write_checkpoint(tmp_path, {"step": 4, "model": {"w": torch.arange(4.0) + 1}})
    state = read_checkpoint(tmp_path)
    assert state is not None and state["step"] == 4 and torch.equal(state["model"]["w"], torch.arange(4.0) + 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_while_writing_leaves_the_last_one(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"step": 3})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        write_checkpoint(tmp_path, {"step": lambda: 4})
    state = read_checkpoint(tmp_path)
    assert state is not None and state["step"] == 3 and len(list(tmp_path.iterdir())) == 1


class Evil:
    """Would create a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("content", [b"", b"torn", None])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "checkpoint.pt"
    if content is None:
        torch.save({"step": Evil(tmp_path / "made")}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="delete it to start over"):
        read_checkpoint(tmp_path)
    assert not (tmp_path / "made").exists()


def test_what_a_kill_left_unfinished_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"step": 1})
    kept = [tmp_path / name for name in ("checkpoint.pt", ".mine.pt", temporary_name(".pt"))]
    for path in kept[1:]:
        path.write_text("kept")
    left = tmp_path / name_of(DEAD, rest=".pt")
    left.write_text("half a checkpoint")
    clear_unfinished(tmp_path)
    assert not left.exists() and all(path.exists() for path in kept)


def test_a_changed_number_is_found(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"model": {"w": torch.arange(1000.0)}, "step": 1})
    path = tmp_path / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    place = content.find(torch.arange(1000.0).numpy().tobytes()[2000:2040])
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="delete it to start over"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_checkpoint_that_the_system_does_not_give_is_not_called_damaged(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, {"step": 1})

    def fail(path: Path) -> None:
        raise OSError(number, "not now", str(path))

    monkeypatch.setattr(checkpoint, "open_regular", fail)
    with pytest.raises(OSError, match="not now"):
        read_checkpoint(tmp_path)
