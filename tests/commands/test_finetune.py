"""From a folder of labelled studies to a model that other commands take, and to its scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from oracles import cine_of, heart

from cinema_cmr.cli import main
from cinema_cmr.io.nifti.image import write_cine, write_mask
from cinema_cmr.recipes.finetune import finetune


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five labelled stacks of one frame, with what a lab has: an image and its mask."""
    folder = tmp_path_factory.mktemp("lab")
    for number, radius in enumerate((11.0, 12.0, 13.0, 14.0, 15.0)):
        labels = heart((radius,), n_slices=3)
        cine = cine_of(labels)
        noise = np.random.default_rng(number).normal(0, 10, cine.array.shape)
        write_cine(cine.with_array((cine.array + noise).astype(np.float32)), folder / f"p{number}.nii.gz")
        write_mask(labels, cine, folder / f"p{number}_seg.nii.gz")
    return folder


NAMES = ("--name", "lab-sax", "--author", "A lab", "--description", "Five stacks")


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.medium
def test_a_model_comes_out_and_is_evaluated(studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert call("finetune", "--data", studies, "--recipe", "sax-unet", "--steps", 2, *NAMES, "-o", run) == 0
    printed = capsys.readouterr()
    assert f"model: {run / 'model'}" in printed.out and "validation: dice_" in printed.out
    assert "finds the heart in the images and scores each on its own grid" in printed.out
    card = json.loads((run / "model" / "card.json").read_text())
    assert (card["name"], card["author"], card["description"]) == ("lab-sax", "A lab", "Five stacks")
    assert card["training"]["n_steps"] == 2 and card["training"]["n_studies"] == 4
    split = json.loads((run / "split.json").read_text())
    assert sorted(len(names) for names in split["parts"].values()) == [1, 4]
    words = ["evaluate", "--data", studies, "--model", run / "model", "-o", tmp_path / "e"]
    assert call(*words) == 0
    assert "split: of the run beside the model; its card has quick scores of these patients" in capsys.readouterr().err
    scores = json.loads((tmp_path / "e" / "scores.json").read_text())
    assert [row["patient"] for row in scores["patients"]] == split["parts"]["validation"]
    assert scores["n_patients"] == 1 and 0 <= scores["scores"]["dice_mean"]["value"] <= 1
    assert "NaN" not in (tmp_path / "e" / "scores.json").read_text()
    assert "| myo | " in (tmp_path / "e" / "tables.md").read_text()
    assert call(*words) == 3  # tables are there
    assert call(*words, "--overwrite", "--part", "all", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n_patients"] == 5


@pytest.mark.medium
def test_a_finished_run_goes_on_from_nothing_and_another_is_refused(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["finetune", "--data", studies, "--recipe", "sax-unet", "-o", tmp_path, "--n", 2]
    assert call(*words, "--steps", 1) == 0
    assert "'--n' is deprecated; use '--n-train'" in capsys.readouterr().err
    weights = (tmp_path / "model" / "weights.safetensors").read_bytes()
    assert call(*words, "--steps", 1) == 0
    again = capsys.readouterr().err
    assert "no further update; dice_rv" in again and "nan" not in again
    assert (tmp_path / "model" / "weights.safetensors").read_bytes() == weights
    assert call(*words, "--steps", 3) == 2
    assert "another run" in capsys.readouterr().err
    assert call(*words, "--steps", 1, "--end-now") == 0  # it had ended
    assert call(*words, "--end-now", "--compare-scratch", "--from", tmp_path / "model") == 2
    assert "--end-now ends one run" in capsys.readouterr().err
    assert call(*words[:-4], *words[-2:], "-o", tmp_path / "new", "--end-now") == 2
    assert "no run to end: the folder 'new'" in capsys.readouterr().err


@pytest.mark.medium
def test_a_run_is_repeated_from_its_configuration_bit_for_bit(studies: Path, tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    words = ["--data", studies, "--recipe", "sax-unet", "--steps", 2, "--n-train", 3, "--seed", 4, "--device", "cpu"]
    assert call("finetune", *words, "--set", "task.augmentation.gamma=0.2", "--lr", "1e-3", "-o", one) == 0
    assert call("finetune", "--config", one / "config.yaml", "-o", two) == 0
    assert weights(one) == weights(two)
    assert (one / "split.json").read_bytes() == (two / "split.json").read_bytes()
    configs = [yaml.safe_load((folder / "config.yaml").read_text()) for folder in (one, two)]
    assert configs[0]["experiment"] == configs[1]["experiment"] and configs[0]["data"] == str(studies)
    assert configs[0]["experiment"]["task"]["augmentation"]["gamma"] == 0.2
    assert configs[0]["record"]["command"].startswith("cinema finetune ")
    options = {"n_train": 3, "seed": 4, "lr": 1e-3, "device": "cpu", "set": ["task.augmentation.gamma=0.2"]}
    result = finetune("sax-unet", studies, three, steps=2, **options)
    assert weights(one) == weights(three) and result.card.training["n_studies"] == 3
    assert call("finetune", "--config", one / "config.yaml", "--seed", 5, "-o", two) == 2  # another run


def weights(folder: Path) -> bytes:
    return (folder / "model" / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_what_a_start_gained_is_written_with_how_few_patients_told_it(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["finetune", "--data", studies, "--recipe", "sax-unet", "--steps", 1]
    assert call(*words, "--compare-scratch", "-o", tmp_path / "none") == 2
    assert "give it as --from WEIGHTS" in capsys.readouterr().err
    assert call(*words, "--freeze", "-o", tmp_path / "none") == 2
    assert "without weights to start from" in capsys.readouterr().err
    assert call(*words, "--folds", 2, "-o", tmp_path / "none") == 2
    assert call(*words, "-o", tmp_path / "first") == 0
    assert call(*words, "--from", tmp_path / "first" / "model", "--adapters", 4, "-o", tmp_path / "none") == 5
    assert "a UNet2d has no encoder to freeze" in capsys.readouterr().err
    words += ["--from", tmp_path / "first" / "model", "--compare-scratch", "-o", tmp_path / "run"]
    assert call(*words) == 0
    said = capsys.readouterr().out
    assert "gain: Inconclusive: 1 patient to compare on." in said and "gain.html" in said
    document = json.loads((tmp_path / "run" / "gain.json").read_text())
    assert document["verdict"]["n"] == 1 and document["n_train_patients"] == 4
    assert "Inconclusive" in (tmp_path / "run" / "gain.html").read_text()
    assert (tmp_path / "run" / "scratch" / "model" / "card.json").exists()


@pytest.mark.slow
def test_the_gain_of_long_axis_masks_is_scored_too(tmp_path: Path) -> None:
    cohort, run = tmp_path / "cohort", tmp_path / "run"
    assert call("phantom", "-n", 5, "--frames", 2, "--views", "lax_2c,lax_4c", "-o", cohort) == 0
    words = ["finetune", "--data", cohort, "--recipe", "lax-mask-unet", "--from", "cinema-lax-masks"]
    assert call(*words, "--steps", 1, "--batch", 1, "--compare-scratch", "-o", run) == 0
    document = json.loads((run / "gain.json").read_text())
    (patient,) = document["patients"]
    assert document["primary"] == "dice_mean" and {"dice_lax_4c_rv", "dice_lax_2c_lv"} <= patient["start"].keys()
    assert patient["start"]["dice_mean"] > 0.7 > patient["scratch"]["dice_mean"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "nowhere"], "is no folder"),
        (["--data", "acdcc:."], "did you mean 'acdc'"),
        (["--data", ".", "--recipe", "sax-unte"], "did you mean 'sax-unet'"),
    ],
)
def test_what_cannot_be_learned_from_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("finetune", *words, "-o", "run") in (2, 3)
    assert said in capsys.readouterr().err


@pytest.mark.medium
def test_patients_who_came_after_the_split_are_told_and_not_used(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(studies, data)
    words = ["finetune", "--data", data, "--recipe", "sax-unet", "--steps", 1, "-o", run]
    assert call(*words) == 0
    assert "not used" not in capsys.readouterr().err
    for end in ("", "_seg"):
        shutil.copy(data / f"p0{end}.nii.gz", data / f"late{end}.nii.gz")
    assert call(*words) == 0
    assert "1 patients, e.g. late, are in no part of this run's split.json and not used" in capsys.readouterr().err


def test_a_run_that_could_read_nothing_leaves_no_split_behind(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for number in range(3):
        shutil.copy(studies / f"p{number}.nii.gz", data)
        (data / f"p{number}_seg.nii.gz").write_bytes(b"cut off")
    assert call("finetune", "--data", data, "--recipe", "sax-unet", "--steps", 1, "-o", run) == 3
    assert "left out: p0" in capsys.readouterr().err
    assert not (run / "split.json").exists()


def test_a_file_of_options_has_the_fields_as_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`start` for --from, as before and as in Python; a word of the call overrides it."""
    (tmp_path / "run.yaml").write_text("data: nowhere\nrecipe: sax-unet\nstart: cinema-sax\nlayer_decay: 0.5\n")
    assert call("finetune", "--config", tmp_path / "run.yaml", "-o", tmp_path / "run") == 3
    assert "'nowhere' is no folder" in capsys.readouterr().err


@pytest.mark.medium
def test_a_run_with_patience_ends_early_and_says_so(
    studies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["finetune", "--data", studies, "--recipe", "sax-unet", "--preset", "smoke", "--device", "cpu"]
    words += [
        "--steps",
        9,
        "--lr",
        1e-12,
        "--patience",
        2,
        "--set",
        "train.optim.warmup_steps=0",
        "--set",
        "train.optim.last_lr=0",
    ]
    assert call(*words, "-o", tmp_path / "run") == 2
    assert "patience 2 with a validation every 200 of 9 steps" in capsys.readouterr().err
    words += ["--validate-every", 1]
    assert call(*words, "--from", "cinema-sax", "--compare-scratch", "-o", tmp_path / "run") == 2
    assert "leave --patience out" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert call(*words, "-o", tmp_path / "run") == 0
    printed = capsys.readouterr()
    assert "weights: of step 1, chosen on the held-out studies; 3 updates made" in printed.out
    assert "step 3/3" in printed.err and "stopped at step 3: no better than step 1 for 2 validations" in printed.err
    assert json.loads((tmp_path / "run" / "model" / "card.json").read_text())["training"]["n_steps"] == 3
