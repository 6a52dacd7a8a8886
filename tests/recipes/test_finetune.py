"""Fine-tuning from Python: recipes by name, options as keywords, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from scans import image_of, labels_of, write_scan
from small_runs import data, small

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.data.cases import read_split
from cinema_cmr.recipes.finetune import change_experiment, finetune, open_labelled_data
from cinema_cmr.recipes.presets import COARSE, smaller
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.run import prepare_run
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


def test_several_datasets_are_one_with_the_conditions_of_both(tmp_path: Path) -> None:
    for name, number in (("a", 1), ("b", 2), ("c", 3), ("d", 4)):
        folder = tmp_path / ("one" if name < "c" else "two")
        write_scan(folder / f"{name}.nii.gz", image_of(number))
        write_scan(folder / f"{name}_seg.nii.gz", labels_of(number))
    options = FinetuneOptions(
        data=str(tmp_path / "one"), add_data=[str(tmp_path / "two")], repeat=["one=2", "two=2"], steps=1
    )
    opened = open_labelled_data(options, small(), tmp_path / "run")
    assert sorted(s.patient for s in [*opened.train, *opened.val]) == ["a", "b", "c", "d"]
    assert set(opened.times) == {2} and opened.source["add_data"] == [str(tmp_path / "two")]
    assert read_split(tmp_path / "run" / "split.json") == opened.split
    run = prepare_run(change_experiment(small(), options), opened, tmp_path / "run")
    assert len(run.train) == 2 * len(opened.train)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"cycles": True}, "--cycles without a teacher"), ({"repeat": ["acdc"]}, "expected NAME=TIMES")],
)
def test_options_of_the_data_that_contradict_are_refused(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    write_scan(tmp_path / "a.nii.gz", image_of(1))
    write_scan(tmp_path / "a_seg.nii.gz", labels_of(1))
    with pytest.raises(UsageError, match=message):
        open_labelled_data(FinetuneOptions(data=str(tmp_path), **options), small(), tmp_path)  # type: ignore[arg-type]
