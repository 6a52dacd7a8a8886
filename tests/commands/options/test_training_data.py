"""The split that a run learns with is kept in its folder, whoever drew it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonargparse import Namespace
from oracles import cine_of, heart

from cinema_cmr.commands.console import Console
from cinema_cmr.commands.options.training_data import read_training_data
from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import Split, read_split, write_split
from cinema_cmr.io.nifti.image import write_cine, write_mask


def test_a_split_that_is_given_is_kept_in_the_run_s_folder(tmp_path: Path) -> None:
    labels = heart((12.0,))
    for number in range(3):
        write_cine(cine_of(labels), tmp_path / "lab" / f"p{number}.nii.gz")
        write_mask(labels, cine_of(labels), tmp_path / "lab" / f"p{number}_seg.nii.gz")
    split = Split(dataset="folder", parts={"train": ("p2",), "validation": ("p0", "p1")}, rule="by hand")
    write_split(split, tmp_path / "mine.json")
    given = Namespace(data=str(tmp_path / "lab"), output=str(tmp_path / "run"), seed=0, n_train=None)
    for file in (str(tmp_path / "mine.json"), None):  # the second call goes on with the run's own
        given.split = file
        data = read_training_data(given, Console())
        assert [study.patient for study in data.train] == ["p2"] and len(data.val) == 2
        assert read_split(tmp_path / "run" / "split.json") == split
    other = Split(dataset="folder", parts={"train": ("p0",), "validation": ("p1", "p2")}, rule="by hand")
    write_split(other, tmp_path / "other.json")
    given.split = str(tmp_path / "other.json")
    with pytest.raises(UsageError, match="differs from --split"):
        read_training_data(given, Console())
