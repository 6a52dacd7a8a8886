"""docs/python.md, pasted: the blocks that work with results run in order in a folder with a few tiny hearts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from cinema_cmr.core.vocabulary import View
from cinema_cmr.phantom.cohort import CohortConfig, write_cohort
from cinema_cmr.phantom.demo import demo_path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"
NOT_RUN = {
    "from torch import Tensor, nn": "a sketch: grid, network and loss are the reader's; tests/tasks/test_registry.py"
    " trains a whole task",
    "read_study(path) -> Study": "signatures",
}
"""Start of a block -> why it is not run."""
SHORTER = {"import pandas ": "# ", "workers=4": "workers=1", "steps=1000": "steps=2, preset='smoke'"}
"""On the page -> what makes a block short; pandas is not needed here: a constructor from columns stands for it."""
N_STUDIES, N_LABELLED = 3, 8
"""Of eight labelled hearts two are held out, the fewest that two models can be compared on."""


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)


def test_every_block_runs_or_is_named() -> None:
    starts = [next((start for start in NOT_RUN if block.startswith(start)), None) for block in blocks()]
    assert starts.count(None) == 5 and {start for start in starts if start} == set(NOT_RUN)
    text = PAGE.read_text(encoding="utf-8")
    assert all(old in text for old in SHORTER)


def write_studies(folder: Path) -> None:
    """What the page names: study.zip in DICOM, studies.csv, and lab, a folder of labelled studies."""
    shutil.copy(demo_path(), folder / "study.zip")
    write_cohort(folder / "cohort-images", CohortConfig(n=N_LABELLED, views=(View.SAX,), n_frames=2))
    (folder / "lab").mkdir()
    rows = ["path,id,sex"]
    for number in range(N_LABELLED):
        subject = folder / "cohort-images" / f"subject-{number:04d}"
        shutil.copy(subject / "images" / "sax.nii.gz", folder / "lab" / f"p{number:02d}.nii.gz")
        shutil.copy(subject / "labels" / "sax.nii.gz", folder / "lab" / f"p{number:02d}_seg.nii.gz")
        rows += [f"cohort-images/subject-{number:04d}/images/sax.nii.gz,s{number},F"] if number < N_STUDIES else []
    (folder / "studies.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "to-label").mkdir()


@pytest.mark.slow
def test_the_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("lightning", "highdicom"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    write_studies(tmp_path)
    names: dict[str, object] = {"__name__": "page", "pandas": SimpleNamespace(DataFrame=dict)}
    for block in blocks():
        if block.startswith(tuple(NOT_RUN)):
            continue
        for old, new in SHORTER.items():
            block = block.replace(old, new)  # noqa: PLW2901
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert f"{N_STUDIES} 0" in printed, "the population"
    assert "seg_sax" in printed and list((tmp_path / "objects").glob("*.dcm")), "the objects"
    assert len(list((tmp_path / "to-label").glob("*_seg.nii.gz"))) == N_STUDIES
