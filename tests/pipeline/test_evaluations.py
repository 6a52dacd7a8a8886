"""A model and the masks of another program on labelled studies, from Python as from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart, segmenter

import cinema_cmr as cmr
from cinema_cmr.core.errors import InputError
from cinema_cmr.pipeline import evaluations


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    for number, radius in enumerate((13.0, 14.0)):
        labels = heart((radius, radius - 3), n_slices=4)
        cine = cine_of(labels)
        noise = np.random.default_rng(number).normal(0, 10, cine.array.shape)
        cmr.write_cine(cine.with_array((cine.array + noise).astype(np.float32)), folder / f"p{number}.nii.gz")
        cmr.write_mask(labels, cine, folder / f"p{number}_seg.nii.gz")
    return folder


def test_masks_of_another_program_are_scored_and_missing_ones_listed(labelled: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    shutil.copy(labelled / "p0_seg.nii.gz", theirs / "p0.nii.gz")
    found = cmr.evaluate_masks(theirs, labelled, tmp_path / "scores", part="all", name="their tool")
    assert found.summary.scores["dice_mean"].value == 1 and found.results[0].error("lv_ef_percent") == 0
    assert [(one.study, one.status) for one in found.not_scored] == [("p1", "missing")]
    assert json.loads((tmp_path / "scores" / "scores.json").read_text())["model"] == "their tool"
    with pytest.raises(InputError, match="none of 2 studies"):
        cmr.evaluate_masks(theirs, labelled, part="all", mask_codes=["1=myo"])


def test_published_numbers_stand_beside_ours_as_on_the_command_line(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "compare_with_published", lambda found: (found.model,))
    assert cmr.evaluate(segmenter(size=(63, 59)).loaded, labelled, part="all").published == ("oracle",)
