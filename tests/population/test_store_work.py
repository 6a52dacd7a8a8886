"""Studies stored by the workers of an engine: the files of one process, and failures that are their study's alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from oracles import cine_of, heart

from cinema_cmr.core.study import Subject
from cinema_cmr.data.population import PreparedCase, Source, open_population, prepare_population
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.io.read import read_study
from cinema_cmr.population.engines.choose import EngineRequest
from cinema_cmr.population.outcome import StudyOutcome, outcome_archive
from cinema_cmr.population.store_work import PrepareWork, prepared_by, store_on_engine


def source(path: Path, name: str) -> Source:
    return Source(name=name, paths=(path,), read=partial(read_study, path), subject=Subject(sex="F"))


def sources(folder: Path) -> list[Source]:
    for number in range(2):
        write_cine(cine_of(heart((12.0 + number, 9.0), shape=(40, 38), centre=(24.0, 18.0))), folder / f"{number}.nii")
    (folder / "bad.nii").write_bytes(b"no image")
    return [source(folder / "0.nii", "a"), source(folder / "bad.nii", "bad"), source(folder / "1.nii", "b")]


def by_hand(folder: Path, listed: list[Source], *, overwrite: bool = False) -> list[PreparedCase]:
    """What a worker does with each study, in this process."""
    from cinema_cmr.population.store_work import _listed

    work = PrepareWork(folder=folder, overwrite=overwrite)()
    archives = []
    for one in listed:
        parts = work(_listed(one))
        archives.append(outcome_archive(StudyOutcome(name=one.name, settings="", listing=""), parts.members))
    return [prepared_by(one.name, archive) for one, archive in zip(listed, archives, strict=True)]


def test_a_worker_stores_a_study_and_says_what_it_did(tmp_path: Path) -> None:
    good = sources(tmp_path)[:1]
    folder = tmp_path / "store"
    folder.mkdir()
    assert by_hand(folder, good) == [PreparedCase(name="a", status="done")]
    assert by_hand(folder, good) == [PreparedCase(name="a", status="kept")]
    failed = StudyOutcome(name="a", settings="", listing="", cause="memory", reason="too large", exit_code=3)
    case = prepared_by("a", outcome_archive(failed, {}))
    assert case == PreparedCase(name="a", status="failed", error="too large", exit_code=3)


@pytest.mark.slow
def test_workers_give_the_files_of_one_process(tmp_path: Path) -> None:
    listed = sources(tmp_path)
    expected = prepare_population(listed, tmp_path / "1")
    store = store_on_engine(EngineRequest(workers=2))
    cases = prepare_population(listed, tmp_path / "2", store=store)
    assert cases == expected and [case.status for case in cases] == ["done", "failed", "done"]
    for name in ("a.cine", "b.cine", "manifest.jsonl", "failed.jsonl"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert open_population(tmp_path / "2")[0].header.subject.sex == "F"
    assert [case.status for case in prepare_population(listed, tmp_path / "2", store=store)] == [
        "kept",
        "failed",
        "kept",
    ]
    assert prepare_population([], tmp_path / "3", store=store) == []
