"""Vectors by the workers of an engine: those of one process, bit for bit, and failures that are their study's alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import cine_of, heart
from stored_hearts import GRIDS, NETWORK

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import NoCineError, WeightsError
from cinema_cmr.io.nifti.image import write_cine
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import save_model
from cinema_cmr.population import feature_work
from cinema_cmr.population.engines.choose import EngineRequest
from cinema_cmr.population.feature_work import Embedded, FeatureWork, embed_here, embed_on_engine, failed_study
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.work import DeviceWork


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    masks = DecoderConfig(out_chans=4, dec_chans=(4, 6, 8, 8), dec_kernel=(3, 3, 1))
    network = replace(NETWORK, masks=masks)  # its rows differ in length
    card = ModelCard(name="m", task="pretrain", architecture="cinema_mae", config=config_values(network), grids=GRIDS)
    return save_model(tmp_path_factory.mktemp("model") / "m", CineMA(network), card)


@pytest.fixture
def listed(tmp_path: Path) -> list[ListedStudy]:
    write_cine(cine_of(heart((12.0, 9.0), shape=(40, 38), centre=(24.0, 18.0))), tmp_path / "a.nii")
    return [ListedStudy(name="one", path=tmp_path / "a.nii"), ListedStudy(name="gone", path=tmp_path / "gone.nii")]


def test_parts_of_a_study_are_its_rows(model: Path, listed: list[ListedStudy]) -> None:
    work = FeatureWork(model=str(model), device="cpu", heart=True)
    expected = embed_here(work)(listed[0]).rows
    parts = work()(listed[0])
    found = feature_work._unpacked("one", parts.members)
    assert [(row.study, row.frame, row.tokens) for row in found] == [(r.study, r.frame, r.tokens) for r in expected]
    assert all(np.array_equal(row.values, one.values) for row, one in zip(found, expected, strict=True))
    assert found[0].values.dtype == np.float32 and len({len(row.values) for row in found}) == 2
    failed = embed_here(work)(listed[1])
    assert failed.rows == () and failed.error is not None and failed.error.exit_code == 3
    assert failed_study(listed[0], NoCineError("none")).error.exit_code == 3  # type: ignore[union-attr]


def test_a_model_that_is_not_there_is_no_study_s_fault(listed: list[ListedStudy], tmp_path: Path) -> None:
    work = FeatureWork(model=str(tmp_path / "none"), device="cpu")
    for call in (lambda: embed_here(work)(listed[0]), lambda: EngineRequest(engine="slurm", workers=1).job(work)):
        with pytest.raises(WeightsError):
            call()


def test_settings_are_those_of_the_machine_that_works(model: Path) -> None:
    work = FeatureWork(model=str(model))
    assert isinstance(work, DeviceWork) and work.device == "auto"
    job = EngineRequest(workers=1).job(work)
    assert job.device != "auto" and job.settings == work.settings()
    assert job.settings != FeatureWork(model=str(model), heart=True).settings()


def test_settings_do_not_depend_on_the_path_that_names_the_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    assert FeatureWork(model=model.name).settings() == FeatureWork(model=str(model)).settings()


@pytest.mark.slow
def test_workers_give_the_rows_of_one_process(model: Path, listed: list[ListedStudy], tmp_path: Path) -> None:
    work = FeatureWork(model=str(model), device="cpu")
    found: dict[str, Embedded] = {
        one.study.name: one for one in embed_on_engine(work, listed, EngineRequest(workers=2), logs=tmp_path)
    }
    here = embed_here(work)
    for study in listed:
        one, expected = found[study.name], here(study)
        assert [row.values.tobytes() for row in one.rows] == [row.values.tobytes() for row in expected.rows]
        assert str(one.error) == str(expected.error)
    assert found["gone"].error.exit_code == 3  # type: ignore[union-attr]
    assert list(embed_on_engine(work, [], EngineRequest(workers=2), logs=tmp_path)) == []
