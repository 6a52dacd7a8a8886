"""Rows that are kept in order, and forgotten where a run goes back to its last checkpoint."""

from __future__ import annotations

from pathlib import Path

from cinema_cmr.engine.journal import Journal


def test_rows_past_the_checkpoint_and_a_torn_one_are_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (1, 2, 3):
        journal.write(step, "train", {"loss": 1 / step, "samples_per_s": 2.0})
    with journal.path.open("a") as file:
        file.write("4,train,lo")
    again = Journal(tmp_path)
    again.forget_after(2)
    assert again.path.read_text().splitlines() == [
        "step,kind,name,value",
        "1,train,loss,1",
        "1,train,samples_per_s,2",
        "2,train,loss,0.5",
        "2,train,samples_per_s,2",
    ]
