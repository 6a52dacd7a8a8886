"""A run of any task: prepared, trained and saved by the same code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import data, small

from cinema_cmr.core.errors import InputError, OutputExistsError, UsageError
from cinema_cmr.engine.progress import Progress
from cinema_cmr.files.lock import folder_lock
from cinema_cmr.recipes.registry import recipe
from cinema_cmr.recipes.run import prepare_run


def test_a_run_resolves_its_experiment_and_saves_its_model(tmp_path: Path) -> None:
    run = prepare_run(small().with_optim(layer_decay=0.5), data(), tmp_path)
    assert run.experiment.train.optim.layer_decay == 1.0 and run.experiment.train.precision == "fp32"
    assert len(run.train) == 2 and len(run.val) == 1 and run.start is None
    steps: list[Progress] = []
    result = run.execute(steps.append)
    assert result.model == tmp_path / "model" and steps[-1].validation == result.validation
    loaded = result.load()
    assert loaded.card == result.card and not loaded.model.training


def test_data_without_the_target_of_the_task_is_refused(tmp_path: Path) -> None:
    grouped = replace(small(), task=recipe("disease-vit").task).with_task(target="smoker", classes=("no", "yes"))
    with pytest.raises(InputError, match="none of 2 training studies has what recipe 'small' needs"):
        prepare_run(grouped, data(), tmp_path)


def test_studies_without_what_the_task_learns_are_left_out_with_a_note(tmp_path: Path) -> None:
    """A data set may hold other views of some people alone: they stop no run."""
    given = data()
    without = replace(given.train[0], labels={}, labelled_frames={}, patient="other")
    notes: list[str] = []
    run = prepare_run(small(), replace(given, train=[without, *given.train]), tmp_path, note=notes.append)
    assert len(run.train) == 2
    (note,) = notes
    assert note.startswith("left out: 1 of 3 training studies, e.g. ") and "no labels of its views" in note


def test_a_run_without_a_held_out_study_says_that_it_ends_without_a_validation(tmp_path: Path) -> None:
    notes: list[str] = []
    run = prepare_run(small(), replace(data(), val=[]), tmp_path, note=notes.append)
    assert run.val == [] and notes == [
        "no held-out study is left to score: the run ends without a validation of its model"
    ]


def test_two_trainings_into_one_folder_the_second_is_refused(tmp_path: Path) -> None:
    run = prepare_run(small(), data(), tmp_path)
    with folder_lock(tmp_path), pytest.raises(InputError, match="is in use by process"):
        run.execute()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "model").symlink_to("elsewhere")
    with pytest.raises(OutputExistsError, match="model' is a link"):
        run.execute()


def test_only_the_first_of_several_processes_locks_the_folder_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are started, or start themselves, before they have met: their environment gives their rank."""
    ready = prepare_run(small(), data(), tmp_path)
    second = replace(ready, experiment=ready.experiment.with_train(devices=2))
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr("cinema_cmr.recipes.run.train", lambda task, **given: task.network)
    monkeypatch.setattr("cinema_cmr.recipes.run.is_first_rank", lambda: False)
    with folder_lock(tmp_path):
        second.execute()
        assert not (tmp_path / "config.yaml").exists()
        with pytest.raises(InputError, match="is in use by process"):
            ready.execute()


def test_a_run_with_patience_says_which_weights_its_held_out_studies_chose(tmp_path: Path) -> None:
    """At a rate of almost nothing no validation is better than the first."""
    chosen = (
        small().with_train(n_steps=9, validate_every=1, patience=2).with_optim(lr=1e-12, last_lr=0.0, warmup_steps=0)
    )
    result = prepare_run(chosen, data(), tmp_path).execute()
    assert result.best is not None and (result.best.step, result.n_updates) == (1, 3)
    assert result.validation == result.best.scores
    training = result.card.training
    early = training["early_stopping"]
    assert training["n_steps"] == 3 and isinstance(early, dict)
    assert (early["step_of_weights"], early["most_steps"], early["patience"], early["validate_every"]) == (1, 9, 2, 1)
    assert "held-out" in early["chosen_on"]
    assert (early["n_studies"], early["split"]) == (len(data().val), data().split.rule)
    plain = prepare_run(small(), data(), tmp_path / "plain").execute()
    assert plain.best is None and "early_stopping" not in plain.card.training


def test_a_run_that_is_ended_by_hand_says_after_how_many_updates(tmp_path: Path) -> None:
    def cut(progress: Progress) -> None:
        if progress.step == 3:
            raise RuntimeError("stands for a kill")

    run = prepare_run(small().with_train(n_steps=9, checkpoint_every=2, log_every=1), data(), tmp_path)
    with pytest.raises(RuntimeError):
        run.execute(cut)
    result = run.execute(end_now=True)
    training = result.card.training
    assert (result.n_updates, training["n_steps"], training["ended_by_hand"]) == (2, 2, {"most_steps": 9})
    assert result.validation is not None and training["validation"] == result.validation


def test_patience_without_held_out_studies_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    patient = small().with_train(n_steps=9, validate_every=1, patience=2)
    with pytest.raises(UsageError, match="patience without held-out studies"):
        prepare_run(patient, data(val=[]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_that_has_seen_the_held_out_patients_is_noted(tmp_path: Path) -> None:
    start = prepare_run(small(), data(), tmp_path / "first").execute().load()
    notes: list[str] = []
    prepare_run(small(), data(train=[0], val=[1, 2]), tmp_path / "second", start=start, note=notes.append)
    assert notes == [
        "held out: of the 2 patients here the start small has learned from 1: expect it to do worse on new ones"
    ]
    notes.clear()
    prepare_run(small(), data(train=[0]), tmp_path / "third", start=start, note=notes.append)
    assert notes == []
