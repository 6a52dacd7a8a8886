"""Rows that are kept in order, and forgotten where a run goes back to its last checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.engine.journal import Journal


def test_rows_past_the_checkpoint_and_a_torn_one_are_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (1, 2, 3):
        journal.write(step, "train", {"loss": 1 / step, "samples_per_s": 2.0})
    with journal.path.open("a") as file:
        file.write("4,train,lo")
    again = Journal(tmp_path)
    again.drop_after(2)
    assert again.path.read_text().splitlines() == [
        "step,kind,name,value",
        "1,train,loss,1",
        "1,train,samples_per_s,2",
        "2,train,loss,0.5",
        "2,train,samples_per_s,2",
    ]


def test_values_go_to_tensorboard_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int) -> None:
            self.folder, self.purge_step, self.values, self.flushed = folder, purge_step, [], 0
            made.append(self)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            self.values.append((name, value, step))

        def flush(self) -> None:
            self.flushed += 1

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    journal = Journal(tmp_path, events=True)
    journal.write(7, "train", {"loss": 0.5})
    journal.write(8, "validation", {"dice": 0.9})
    (writer,) = made
    assert writer.folder == str(tmp_path / "events") and writer.purge_step == 7 and writer.flushed == 2
    assert writer.values == [("train/loss", 0.5, 7), ("validation/dice", 0.9, 8)]
    assert "7,train,loss,0.5" in journal.path.read_text()


def test_without_tensorboard_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"cinema-cmr\[tensorboard\]"):
        Journal(tmp_path, events=True)


def test_the_name_of_a_class_is_no_formula(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(1, "validation", {"=cmd()": 1.0, "-2+3": 2.0})
    assert journal.path.read_text().splitlines()[1:] == ["1,validation,'=cmd(),1", "1,validation,'-2+3,2"]
