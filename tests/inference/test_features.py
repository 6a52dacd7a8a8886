"""Features are the network's own, of the frames that they are named after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import CPU
from small_models import unetr, unetr_card
from stored_hearts import GRIDS, NETWORK, moving_disc, stored_heart

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import NoCineError, WeightsError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import write_study
from cinema_cmr.inference.features import FeatureExtractor
from cinema_cmr.inference.study_tensors import view_tensor
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.blocks.mask_decoders import DecoderConfig
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA


def loaded() -> LoadedModel:
    torch.manual_seed(0)
    card = ModelCard(name="m", task="pretrain", architecture="cinema_mae", config=config_values(NETWORK), grids=GRIDS)
    return LoadedModel(model=CineMA(NETWORK).eval(), card=card)


def test_each_frame_has_its_own_vectors(tmp_path: Path) -> None:
    study, model = stored_heart(tmp_path, "x", n_frames=6), loaded()
    rows = FeatureExtractor(model, CPU).rows(study)
    assert [(row.frame, row.tokens) for row in rows[:3]] == [(0, "cls"), (0, "sax"), (0, "lax_4c")]
    assert len(rows) == 6 * 3 and {row.study for row in rows} == {"x"}
    images = {str(view): view_tensor(study, view, 4, GRIDS[view]).unsqueeze(0) for view in GRIDS}
    with torch.no_grad():
        features = model.model.features(images)  # type: ignore[operator]
    for row in rows[12:15]:
        assert row.frame == 4 and row.values.shape == (16,)
        assert np.allclose(row.values, features[row.tokens][0].mean(dim=0).numpy(), atol=1e-5)
    assert not np.allclose(rows[0].values, rows[12].values, atol=1e-5)


def test_the_mean_over_the_cycle_is_that_of_the_frames(tmp_path: Path) -> None:
    study, featuriser = stored_heart(tmp_path, "x", n_frames=5), FeatureExtractor(loaded(), CPU)
    frames, means = featuriser.rows(study), featuriser.rows(study, over_cycle=True)
    assert [(row.frame, row.tokens) for row in means] == [(None, "cls"), (None, "sax"), (None, "lax_4c")]
    for mean in means:
        its = [row.values for row in frames if row.tokens == mean.tokens]
        assert np.allclose(mean.values, np.mean(its, axis=0), atol=1e-6)


def test_views_of_other_lengths_go_by_the_part_of_the_cycle(tmp_path: Path) -> None:
    cines = (moving_disc(View.SAX, 2, 0), moving_disc(View.LAX_4C, 4, 0))
    study = write_study(Study(name="x", cines=cines), tmp_path / "x.cine")
    model = loaded()
    rows = FeatureExtractor(model, CPU).rows(study)
    assert [row.frame for row in rows if row.tokens == "cls"] == [0, 1, 2, 3]
    shown = {"sax": 1, "lax_4c": 2}
    images = {v: view_tensor(study, View(v), t, GRIDS[View(v)]).unsqueeze(0) for v, t in shown.items()}
    with torch.no_grad():
        cls = model.model.features(images)["cls"][0, 0]  # type: ignore[operator]
    assert np.allclose(rows[6].values, cls.numpy(), atol=1e-5)


def test_tokens_about_the_heart(tmp_path: Path) -> None:
    study, model = stored_heart(tmp_path, "x", n_frames=2), loaded()
    rows = [row for row in FeatureExtractor(model, CPU).rows(study, heart=True) if row.frame == 1]
    names = ["cls", "sax", "lax_4c", "sax/first", "sax/middle", "sax/last", "lax_4c/heart"]
    assert [row.tokens for row in rows] == names
    images = {str(view): view_tensor(study, view, 1, GRIDS[view]).unsqueeze(0) for view in GRIDS}
    with torch.no_grad():
        found = model.model.features(images)  # type: ignore[operator]
    thirds = found["sax"][0].reshape(2, 2, 3, -1)  # tokens of 64 mm: both are within 36 mm of the middle
    plane = found["lax_4c"][0].reshape(3, 2, -1)[1:2]  # of three only the one in the middle
    wanted = [*(thirds[:, :, z].mean(dim=(0, 1)) for z in range(3)), plane.mean(dim=(0, 1))]
    for row, values in zip(rows[3:], wanted, strict=True):
        assert np.allclose(row.values, values.numpy(), atol=1e-5)


def test_thirds_of_a_stack_of_two_slices(tmp_path: Path) -> None:
    grids = {View.SAX: Grid(spacing_mm=4.0, size=(32, 32), slice_spacing_mm=10.0, n_slices=2)}
    model = loaded()
    two = LoadedModel(model=model.model, card=replace(model.card, grids=grids))
    rows = FeatureExtractor(two, CPU).rows(stored_heart(tmp_path, "x", n_frames=1), heart=True)
    assert [row.tokens for row in rows] == ["cls", "sax", "sax/first", "sax/middle"]
    assert all(np.isfinite(row.values).all() for row in rows)


@pytest.mark.medium
def test_what_gives_no_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected an autoencoder"):
        FeatureExtractor(LoadedModel(model=unetr(), card=unetr_card()), CPU)
    plane = stored_heart(tmp_path, "plane", views=[View.LAX_2C])
    with pytest.raises(NoCineError, match="no view of the model; expected one of sax, lax_4c"):
        FeatureExtractor(loaded(), CPU).rows(plane)


def test_an_encoder_that_decodes_structures_gives_their_volumes(tmp_path: Path) -> None:
    study, masks = stored_heart(tmp_path, "x"), DecoderConfig(out_chans=4, dec_chans=(4, 6, 8, 8), dec_kernel=(3, 3, 1))
    config = replace(NETWORK, masks=masks)
    model = CineMA(config).eval()
    head = model.mask_decoders.pred_head_dict["sax"]  # type: ignore[union-attr, index]
    with torch.no_grad():  # every voxel of every image is 0.5 RV, 0.25 wall, 0.25 of nothing
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.25, 0.5, 0.25, 1e-9]).log())
    card = replace(loaded().card, config=config_values(config))
    extractor = FeatureExtractor(LoadedModel(model=model, card=card), CPU)
    rows = {row.tokens: row.values for row in extractor.rows(study, over_cycle=True, heart=True)}
    grid = GRIDS[View.SAX]
    whole_ml = 32 * 32 * 3 * grid.spacing_mm**2 * 10.0 / 1000
    rv, wall, lv = rows["sax/structures"].reshape(3, 4)
    assert rv == pytest.approx([0.5 * whole_ml, *[0.5 * whole_ml / 3] * 3], rel=1e-4)
    assert wall == pytest.approx(rv / 2, rel=1e-4) and lv == pytest.approx(0, abs=1e-3)
    unknown = replace(card, grids={**GRIDS, View.SAX: replace(grid, slice_spacing_mm=None)})
    without = FeatureExtractor(LoadedModel(model=model, card=unknown), CPU).rows(study, heart=True)
    assert "sax/structures" not in {row.tokens for row in without}, "no volume without a slice distance"
    plain = FeatureExtractor(loaded(), CPU).rows(study, heart=True)
    assert "sax/structures" not in {row.tokens for row in plain}
