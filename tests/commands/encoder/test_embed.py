"""`cinema embed` and `cinema reconstruct` share a model that is made here, untrained."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
import torch
from oracles import cine_of, heart
from stored_hearts import GRIDS, NETWORK, stored_heart

from cinema_cmr.cli import main
from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.data.population import write_manifest
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import save_model
from cinema_cmr.population.feature_work import FeatureWork


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = config_values(NETWORK)
    card = ModelCard(name="m", task="pretrain", architecture="cinema_mae", config=config, grids=GRIDS)
    return save_model(tmp_path_factory.mktemp("model") / "m", CineMA(NETWORK), card)


def call(*words: object) -> int:
    return main([str(word) for word in words])


def test_scans_and_stores_become_one_table(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored_heart(tmp_path / "store", "one", n_frames=3)
    write_manifest(tmp_path / "store")
    write_cine(cine_of(heart((12.0, 9.0), shape=(40, 38), centre=(24.0, 18.0))), tmp_path / "scan.nii.gz")
    (tmp_path / "bad.nii").write_bytes(b"no image")
    words = ["embed", tmp_path / "store", tmp_path / "scan.nii.gz", "--model", model, "--device", "cpu"]
    assert call(*words, "-o", tmp_path / "f.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["vectors"] == 3 * 3 + 2 * 2
    with (tmp_path / "f.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["study"] for row in rows] == ["one"] * 9 + ["scan"] * 4
    assert {row["tokens"] for row in rows[9:]} == {"cls", "sax"}
    with_bad = ["embed", tmp_path / "bad.nii", *words[1:]]
    assert call(*with_bad, "-o", tmp_path / "mean.csv", "--cycle") == 3
    assert "bad:" in capsys.readouterr().err
    assert len((tmp_path / "mean.csv").read_text().splitlines()) == 1 + 3 + 2
    capsys.readouterr()
    assert call("embed", tmp_path / "absent.nii", "-o", tmp_path / "f.csv") == 3  # it is there
    assert "'f.csv' already exists" in capsys.readouterr().err  # told before the input is looked at
    assert call(*words, "-o", tmp_path / "f.xlsx") == 2


@pytest.mark.slow
def test_a_manifest_gives_the_same_table_with_any_number_of_workers(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        labels = heart((12.0, 9.0 + number), shape=(40, 38), centre=(24.0, 18.0))
        write_cine(cine_of(labels), tmp_path / f"{number}.nii.gz")
    stored_heart(tmp_path / "store", "stored", n_frames=2)
    write_manifest(tmp_path / "store")
    lines = ["path,id,group", "2.nii.gz,c,NOR", "0.nii.gz,a,DCM", "gone.nii,lost,RV", "1.nii.gz,b,NOR"]
    (tmp_path / "studies.csv").write_text("\n".join(lines))
    words = ["embed", tmp_path / "store", "--manifest", tmp_path / "studies.csv", "--model", model, "--device", "cpu"]
    tables = []
    for workers in (1, 2):
        tables.append(tmp_path / f"{workers}.csv")
        assert call(*words, "--workers", workers, "-o", tables[-1], "--json") == 3
        said = capsys.readouterr()
        assert "lost:" in said.err and json.loads(said.out)["failed"] == 1
    assert tables[0].read_bytes() == tables[1].read_bytes()
    rows = [line.split(",")[0] for line in tables[0].read_text().splitlines()[1:]]
    assert list(dict.fromkeys(rows)) == ["stored", "c", "a", "b"]
    parts = [tmp_path / f"part{number}.csv" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        call(*words, "--shard", f"{number}/2", "-o", part)
    shards = [line for part in parts for line in part.read_text().splitlines()[1:]]
    assert sorted(shards) == sorted(tables[0].read_text().splitlines()[1:])
    assert call(*words, "--model", tmp_path / "none", "-o", tmp_path / "no.csv") == 5


def test_one_worker_starts_with_one_thread_as_each_of_several_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the call's environment says; `torch.set_num_threads` alone leaves OpenMP's own number."""
    monkeypatch.setattr(os, "environ", os.environ | {"OMP_NUM_THREADS": "8"})

    def refuse(work: FeatureWork) -> None:
        raise WeightsError(f"loaded with {os.environ['OMP_NUM_THREADS']} threads")

    monkeypatch.setattr(FeatureWork, "extractor", refuse)
    assert call("embed", tmp_path / "scan.nii.gz", "-o", tmp_path / "f.csv") == 5
    assert "loaded with 1 threads" in capsys.readouterr().err
