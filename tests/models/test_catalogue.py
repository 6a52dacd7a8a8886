"""List, pull, import, export and verify, on models of our own making."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_models import MAE, VIT, convvit, images, mae, unetr, unetr_card

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models import catalogue
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.cards import WEIGHTS_FILE
from cinema_cmr.models.catalogue import export_weights, import_weights, list_weights, pull, verify_weights
from cinema_cmr.models.loaded import LoadedModel, join
from cinema_cmr.models.published.registry import PUBLISHED
from cinema_cmr.models.weights import load_model, save_model


def card_for(task: str) -> ModelCard:
    grids = {
        view: replace(g, slice_spacing_mm=10.0, n_slices=3) if view == "sax" else g
        for view, g in unetr_card().grids.items()
    }
    card = replace(unetr_card(), grids=grids, licence="MIT")
    if task == "segment":
        return card
    if task == "pretrain":
        return replace(card, task="pretrain", architecture="cinema_mae", config=config_values(MAE), outputs=())
    names = ("a", "b", "c", "d", "e") if task == "classify" else ("ef",)
    config = config_values(replace(VIT, out_chans=len(names)))
    training = {"target": {"mean": 60.0, "std": 10.0}} if task == "regress" else {}
    return replace(card, task=task, architecture="conv_vit", config=config, outputs=names, training=training)


def model_for(task: str) -> torch.nn.Module:
    made = {"segment": unetr, "pretrain": mae, "classify": convvit, "regress": lambda: convvit(out_chans=1)}
    return made[task]()


@pytest.mark.medium
@pytest.mark.parametrize("task", ["segment", "pretrain", "classify", "regress"])
def test_the_published_layout_and_back_is_the_same_model(tmp_path: Path, task: str) -> None:
    ours = save_model(tmp_path / "ours", model_for(task), card_for(task))
    files = export_weights(ours, tmp_path / "shared")
    assert [path.name for path in files] == ["shared_0.safetensors", "config.yaml"]
    card = import_weights(tmp_path / "shared", tmp_path / "again", name="again", licence="MIT")
    first, second = load_model(ours), load_model(tmp_path / "again")
    own, back = first.model.state_dict(), second.model.state_dict()
    assert list(own) == list(back) and all(torch.equal(own[key], back[key]) for key in own)
    assert (card.config, card.grids, card.outputs, card.task) == (
        first.card.config,
        first.card.grids,
        first.card.outputs,
        first.card.task,
    )
    assert card.training.get("target") == first.card.training.get("target")
    assert (card.name, card.licence) == ("again", "MIT")


@pytest.mark.medium
def test_an_ensemble_is_exported_seed_by_seed(tmp_path: Path) -> None:
    card = card_for("segment")
    joined = join({str(seed): LoadedModel(model=unetr(seed), card=card) for seed in range(2)}, card)
    ours = save_model(tmp_path / "ours", joined.model, joined.card)
    assert len(export_weights(ours, tmp_path / "shared")) == 3
    again = load_model(tmp_path / "shared")
    with torch.no_grad():
        own, back = joined.model(images()), again.model(images())
    assert all(torch.equal(own[view], back[view]) for view in own)


@pytest.mark.medium
def test_what_the_layout_cannot_say_is_refused(tmp_path: Path) -> None:
    card = card_for("segment")
    true_slices = replace(card, grids=unetr_card().grids)
    with pytest.raises(WeightsError, match="cannot express the grids"):
        export_weights(save_model(tmp_path / "a", unetr(), true_slices), tmp_path / "shared")
    values = {**card.config, "stem": {**card.config["stem"], "kernel": [5, 5, 1]}}
    from cinema_cmr.models.architectures import build

    flat = build("conv_unetr", values)
    with pytest.raises(WeightsError, match="cannot express the config"):
        export_weights(save_model(tmp_path / "b", flat, replace(card, config=values)), tmp_path / "shared")
    assert not (tmp_path / "shared").exists()


def test_a_good_model_passes_every_check(tmp_path: Path) -> None:
    checks = verify_weights(save_model(tmp_path / "ours", unetr(), card_for("segment")))
    assert [check.name for check in checks] == ["hash", "keys", "finite", "licence", "output"]
    assert all(check.passed for check in checks)
    assert "(1, 4, 48, 32)" in checks[-1].found


def test_a_bad_model_is_told_not_raised(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "ours", unetr(), card_for("segment"))
    (folder / WEIGHTS_FILE).write_bytes(b"no")
    (check,) = verify_weights(folder)
    assert not check.passed and "SHA-256" in check.found
    (unknown,) = verify_weights("hf:mathpluscode/CineMA/other")
    assert not unknown.passed


def test_a_model_without_licence_fails_that_check_only(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "ours", mae(), replace(card_for("pretrain"), licence=""))
    assert [check.name for check in verify_weights(folder) if not check.passed] == ["licence"]


def test_the_list_names_every_published_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CINEMA_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    entries = {entry.name: entry for entry in list_weights()}
    published = [entry for name, entry in entries.items() if name.startswith("hf:")]
    assert len(published) == len(PUBLISHED) and not any(entry.is_here for entry in published)
    entry = entries["hf:mathpluscode/CineMA/finetuned/regression_ef/mnms_sax"]
    assert (entry.task, entry.views, entry.data, entry.n_members) == ("regress", ("sax",), "M&Ms", 3)


def test_pull_fetches_each_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(catalogue, "fetch", lambda file: asked.append(file) or Path(file))
    paths = pull("hf:mathpluscode/CineMA/finetuned/segmentation/acdc_sax")
    assert [path.name for path in paths] == ["config.yaml", *(f"acdc_sax_{i}.safetensors" for i in range(3))]
    asked.clear()
    pull("all")
    assert len(asked) == 64 + 22 and len(set(asked)) == len(asked)
    with pytest.raises(UsageError, match="unknown published model"):
        pull("nothing")
