"""Fine-tuning from Python: recipes by name, options as keywords, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import data, small

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.recipes.finetune import change_experiment, finetune, open_labelled_data
from cinema_cmr.recipes.presets import COARSE, smaller
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.training_options import FinetuneOptions


def test_options_are_keywords(tmp_path: Path) -> None:
    result = finetune(small(), data(), tmp_path, steps=1, lr=1e-4)
    assert result.card.training["n_steps"] == 1 and "--lr 0.0001" in (tmp_path / "config.yaml").read_text()
    changed = change_experiment(
        recipe("sax-unet"), FinetuneOptions(preset="coarse", steps=5, set=["train.batch_size=3"])
    )
    expected = smaller(recipe("sax-unet"), COARSE).with_train(n_steps=5, batch_size=3)
    assert changed == expected.with_train(validate_every=200, checkpoint_every=200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 3}, "did you mean 'steps'"),
        ({"freeze": True}, "--freeze without weights to start from"),
        ({"layer_decay": 0.5}, "--layer-decay without weights to start from"),
        ({"target": "sex"}, "has no single target"),
        ({"set": ["train.n_step=3"]}, "did you mean 'n_steps'"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        finetune("sax-unet", data(), tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_data_is_needed_and_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data given"):
        open_labelled_data(FinetuneOptions(), small(), tmp_path)
    with pytest.raises(InputError, match="'nowhere' is no folder"):
        finetune("sax-unet", "acdc:nowhere", tmp_path)
