"""Model cards to JSON and back; cards of version 1 are read, unusable ones refused."""

from __future__ import annotations

import json

import pytest

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.card_json import CARD_VERSION, card_from_json, card_to_json
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.core.vocabulary import View

CARD = ModelCard(
    name="small-acdc",
    task="segment",
    architecture="conv_unetr",
    config={"out_chans": 4, "image_sizes": {"sax": [192, 192, 16]}},
    grids={
        View.SAX: Grid(spacing_mm=1.0, size=(192, 192), slice_spacing_mm=10.0, n_slices=16),
        View.LAX_4C: Grid(spacing_mm=1.4, size=(160, 160), percentiles=(1.0, 99.0)),
    },
    outputs=("background", "rv", "myo", "lv"),
    tta=2,
    logit_offsets={"rv": 0.5},
    training={"data": "acdc", "dice": 0.9, "seeds": [0, 1]},
    licence="MIT",
    weights_sha256="ab" * 32,
)


def test_a_card_comes_back_equal() -> None:
    assert card_from_json(json.loads(json.dumps(card_to_json(CARD)))) == CARD


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"card_version": CARD_VERSION + 1}, "version 3; expected 2"),
        ({"grid": {}}, "unknown key in card 'grid'; did you mean 'grids'"),
        ({"grids": {}}, "has no grids"),
        ({"label_scheme": "cin"}, "label scheme 'cin'"),
        ({"least_confidence": 91}, "least confidence 91.0; expected 0 to 1"),
        ({"tta": 3}, "augmentation of 3 passes; expected one of 1, 2, 4, 8"),
        ({"logit_offsets": {"la": 1.0}}, "has offsets for .'la'.; expected some of"),
    ],
)
def test_an_unusable_card_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(WeightsError, match=told):
        card_from_json({**card_to_json(CARD), **change})


def test_a_card_of_version_1_is_read() -> None:
    values = {**card_to_json(CARD), "card_version": 1, "turns": 2}
    del values["tta"]
    assert card_from_json(values) == CARD
    joined = card_from_json({**values, "architecture": "committee", "config": {"members": {}}})
    assert (joined.architecture, joined.config) == ("ensemble", {"members": {}, "output_kind": "classes"})
    assert joined.output_kind == "classes"


def test_the_target_of_a_version_1_classification_is_read() -> None:
    values = {**card_to_json(CARD), "card_version": 1, "training": {"answers": "sex", "seed": 3}}
    assert card_from_json(values).training == {"target_name": "sex", "seed": 3}


def test_a_card_that_is_no_object_is_refused() -> None:
    with pytest.raises(WeightsError, match="model card is a list; expected a JSON object"):
        card_from_json([])  # type: ignore[arg-type]
