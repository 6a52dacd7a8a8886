"""Model cards: kinds of output, and the values that are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinema_cmr.core.card import Grid, ModelCard, OutputKind, TaskName, check_tta
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View

CARD = ModelCard(
    name="small",
    task="segment",
    architecture="conv_unetr",
    config={},
    grids={View.SAX: Grid(spacing_mm=1.5, size=(96, 96))},
    outputs=("background", "lv"),
)


@pytest.mark.parametrize(
    ("task", "architecture", "kind"),
    [
        ("segment", "unet2d", "classes"),
        ("classify", "conv_vit", "classes"),
        ("regress", "resnet", "numbers"),
        ("landmark", "conv_unetr", "heatmaps"),
        ("landmark", "conv_vit", "coordinates"),
        ("pretrain", "cinema_mae", "tokens"),
    ],
)
def test_the_kind_of_output_follows_from_task_and_architecture(
    task: TaskName, architecture: str, kind: OutputKind
) -> None:
    assert replace(CARD, task=task, architecture=architecture).output_kind == kind


def test_an_ensemble_states_its_kind_of_output() -> None:
    card = replace(CARD, task="landmark", architecture="ensemble", config={"output_kind": "coordinates"})
    assert card.output_kind == "coordinates"


@pytest.mark.parametrize("n_passes", [0, 3, 16])
def test_other_numbers_of_passes_are_refused(n_passes: int) -> None:
    with pytest.raises(UsageError, match=f"{n_passes} passes; expected one of 1, 2, 4, 8"):
        check_tta(n_passes)


@pytest.mark.parametrize(
    "change",
    [
        {"spacing_mm": 0.0},
        {"spacing_mm": 1e-6},
        {"spacing_mm": 1e6},
        {"slice_spacing_mm": 1e-6},
        {"size": (96, 0)},
        {"size": (2**40, 2**40)},
        {"size": (4000, 4000), "n_slices": 4000},
        {"slice_spacing_mm": -1.0},
        {"n_slices": 0},
        {"percentiles": (99.0, 1.0)},
        {"percentiles": (0.0, 101.0)},
    ],
)
def test_an_impossible_grid_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Grid(**{"spacing_mm": 1.5, "size": (96, 96), **change})  # type: ignore[arg-type]


def test_offsets_are_of_the_outputs() -> None:
    assert replace(CARD, logit_offsets={"lv": 0.4}).logit_offsets == {"lv": 0.4}
    with pytest.raises(UsageError, match=r"offsets for \['rv'\]; expected some of \['background', 'lv'\]"):
        replace(CARD, logit_offsets={"rv": 0.4})
