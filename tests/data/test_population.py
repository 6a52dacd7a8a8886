"""Many inputs to one store: one bad study stops nothing, and a call that was cut off goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from oracles import cine_of, heart

from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.population import (
    PreparedCase,
    Source,
    open_population,
    prepare_population,
    store_sources,
    write_manifest,
)
from cinema_cmr.data.store import StoredStudy, open_study
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.io.read import read_study


def scans(folder: Path, n: int = 3) -> list[Path]:
    paths = [folder / f"p{number}.nii.gz" for number in range(n)]
    for number, path in enumerate(paths):
        write_cine(cine_of(heart((12.0 + number, 9.0), shape=(40, 38), centre=(24.0, 18.0))), path)
    return paths


def test_every_study_is_in_the_manifest(tmp_path: Path) -> None:
    paths = scans(tmp_path)
    cases = prepare_population(paths, tmp_path / "store")
    assert [(case.name, case.status) for case in cases] == [("p0", "done"), ("p1", "done"), ("p2", "done")]
    studies = open_population(tmp_path / "store")
    assert [study.name for study in studies] == ["p0", "p1", "p2"]
    assert studies[1].cine(View.SAX).shape == (40, 38, 3, 2)
    truth = cine_of(heart((13.0, 9.0), shape=(40, 38), centre=(24.0, 18.0))).array
    assert np.array_equal(studies[1].frame(View.SAX, 0), truth[..., 0])
    row = json.loads((tmp_path / "store" / "manifest.jsonl").read_text().splitlines()[0])
    assert row["sha256"] == studies[0].sha256 and row["views"]["sax"]["shape"] == [40, 38, 3, 2]


def test_one_bad_study_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    paths = scans(tmp_path, 2)
    bad = tmp_path / "a_bad.nii.gz"
    bad.write_bytes(paths[0].read_bytes()[:200])
    told: list[tuple[int, int, PreparedCase]] = []
    cases = prepare_population(
        [bad, *paths, tmp_path / "none.nii"], tmp_path / "s", progress=lambda *words: told.append(words)
    )
    assert [case.status for case in cases] == ["failed", "done", "done", "failed"]
    assert cases[0].exit_code == 3 and "a_bad" in str(cases[0].error)
    assert [(done, n) for done, n, _ in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    failed = [json.loads(line)["name"] for line in (tmp_path / "s" / "failed.jsonl").read_text().splitlines()]
    assert failed == ["a_bad", "none"]
    assert len(open_population(tmp_path / "s")) == 2
    prepare_population(paths, tmp_path / "s")
    assert not (tmp_path / "s" / "failed.jsonl").exists()


def test_an_interrupted_call_is_resumed_and_another_input_is_refused(tmp_path: Path) -> None:
    paths = scans(tmp_path)
    store = tmp_path / "store"
    prepare_population(paths[:1], store)
    (store / ".3f.cine").write_bytes(b"left by a kill")
    (store / "manifest.jsonl").unlink()
    before = (store / "p0.cine").stat().st_mtime_ns
    assert [case.status for case in prepare_population(paths, store)] == ["kept", "done", "done"]
    assert (store / "p0.cine").stat().st_mtime_ns == before and len(open_population(store)) == 3
    paths[0].write_bytes(paths[1].read_bytes())
    (case,) = prepare_population(paths[:1], store)
    assert case.exit_code == 3 and "another input" in str(case.error)
    (case,) = prepare_population(paths[:1], store, overwrite=True)
    assert case.status == "done"


def test_damage_is_reported_by_name(tmp_path: Path) -> None:
    store = tmp_path / "store"
    prepare_population(scans(tmp_path, 2), store)
    whole = (store / "p0.cine").read_bytes()
    (store / "p0.cine").write_bytes((store / "p1.cine").read_bytes())
    with pytest.raises(UnreadableFileError, match=r"p0\.cine.*does not match the manifest"):
        open_population(store)
    (store / "p0.cine").write_bytes(whole[:-10])
    with pytest.raises(UnreadableFileError, match=r"p0\.cine.*damaged"):
        open_population(store)
    write_manifest(store)
    assert [study.name for study in open_population(store)] == ["p1"]
    (store / "manifest.jsonl").write_text('{"name": "p0", "fi')
    with pytest.raises(UnreadableFileError, match="is damaged"):
        open_population(store)
    (store / "manifest.jsonl").write_text("")
    with pytest.raises(InputError, match="no prepared study"):
        open_population(store)
    with pytest.raises(InputError, match="no manifest"):
        open_population(tmp_path)


def test_a_large_store_is_opened_without_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are there, some are opened; the others are compared with the manifest when they are used."""
    store = tmp_path / "store"
    prepare_population(scans(tmp_path, 3), store)
    (store / "p1.cine").write_bytes((store / "p0.cine").read_bytes())
    monkeypatch.setattr("cinema_cmr.data.population._CHECKED", 2)
    opened: list[str] = []

    def count(path: Path) -> StoredStudy:
        opened.append(path.name)
        return open_study(path)

    monkeypatch.setattr("cinema_cmr.data.population.open_study", count)
    monkeypatch.setattr("cinema_cmr.data.store._HEADERS", {})  # as in another process
    studies = open_population(store)
    assert opened == ["p0.cine", "p2.cine"]
    assert [study.views for study in studies] == 3 * [(View.SAX,)]
    assert studies[0].frame(View.SAX, 0).shape == (40, 38, 3)
    with pytest.raises(UnreadableFileError, match=r"'p1\.cine' does not match the manifest"):
        studies[1].frame(View.SAX, 0)
    (store / "p1.cine").unlink()
    with pytest.raises(UnreadableFileError, match=r"lacks 1 studies of its manifest, first 'p1\.cine'"):
        open_population(store)


@pytest.mark.parametrize("row", ["[1]", '{"name": "p0", "file": "p0.cine", "sha256": "x", "views": {"heart": 1}}'])
def test_a_row_of_another_form_is_damage(tmp_path: Path, row: str) -> None:
    (tmp_path / "manifest.jsonl").write_text(row)
    with pytest.raises(UnreadableFileError, match="is damaged"):
        open_population(tmp_path)


def test_another_way_to_store_the_sources_gives_the_same_manifest(tmp_path: Path) -> None:
    """An engine yields them in any order; results stand in that of the inputs."""
    paths = scans(tmp_path)

    def backwards(sources: Sequence[Source], folder: Path, overwrite: bool) -> Iterator[PreparedCase]:
        return store_sources(sources[::-1], folder, overwrite)

    prepare_population(paths, tmp_path / "1")
    assert [case.name for case in prepare_population(paths, tmp_path / "2", store=backwards)] == ["p0", "p1", "p2"]
    for name in ("p0.cine", "p1.cine", "p2.cine", "manifest.jsonl"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_source_is_identified_by_all_its_files(tmp_path: Path) -> None:
    paths = scans(tmp_path, 2)
    source = Source(name="both", paths=tuple(paths), read=partial(read_study, paths[0]))
    assert [case.status for case in prepare_population([source, paths[1]], tmp_path / "s")] == ["done", "done"]
    assert [study.name for study in open_population(tmp_path / "s")] == ["both", "p1"]
    assert prepare_population([source], tmp_path / "s")[0].status == "kept"
    paths[1].write_bytes(paths[0].read_bytes())
    assert "another input" in str(prepare_population([source], tmp_path / "s")[0].error)
    with pytest.raises(UsageError, match="two inputs have the name 'p1'"):
        prepare_population([paths[1], replace(source, name="p1")], tmp_path / "s")
