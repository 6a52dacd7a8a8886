"""A model has the views that its data or its start had, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.data.cases import AnnotatedStudy, DatasetCard, Split
from cinema_cmr.data.training_set import TrainingData
from cinema_cmr.models.architectures import build, config_values
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.weights import load_model
from cinema_cmr.phantom.phantom import make_phantom
from cinema_cmr.recipes.experiment import Experiment
from cinema_cmr.recipes.landmarks import lax_coordinates, lax_unet, lax_unetr
from cinema_cmr.recipes.learned_views import with_learned_views
from cinema_cmr.recipes.run import prepare_run
from cinema_cmr.recipes.segmentation import lax_mask_unet, lax_mask_unetr

ALL = (View.LAX_2C, View.LAX_4C, View.LAX_3C)


def study(views: Sequence[View] = (View.LAX_4C,)) -> AnnotatedStudy:
    phantom = make_phantom(3, views=tuple(views), n_frames=2)
    return AnnotatedStudy(
        study=phantom.study,
        patient="p",
        labels=phantom.labels,
        labelled_frames={view: (0, 1) for view in views},
        landmarks=phantom.landmarks,
    )


@pytest.fixture(scope="module")
def four_chamber() -> AnnotatedStudy:
    return study()


def views_of(experiment: Experiment) -> tuple[list[View], list[str]]:
    task, network = experiment.task, experiment.network
    of_task = list(getattr(task, "grids", None) or task.views)  # type: ignore[union-attr]
    return of_task, list(getattr(network, "image_sizes", None) or network.views)


@pytest.mark.parametrize("create", [lax_unet, lax_unetr, lax_mask_unet, lax_mask_unetr])
def test_views_without_labels_are_no_part_of_the_model(create: object, four_chamber: AnnotatedStudy) -> None:
    whole: Experiment = create()  # type: ignore[operator]
    fewer, dropped = with_learned_views(whole, [four_chamber], None)
    assert views_of(fewer) == ([View.LAX_4C], ["lax_4c"])
    assert View.LAX_2C in dropped and View.LAX_4C not in dropped
    build(fewer.architecture, config_values(fewer.network))


def test_a_view_of_the_start_stays(four_chamber: AnnotatedStudy) -> None:
    whole = lax_unet()
    card = ModelCard(
        name="start",
        task="landmark",
        architecture="unet2d",
        config=config_values(whole.network),
        grids=whole.task.grids,  # type: ignore[union-attr]
    )
    start = LoadedModel(model=build(whole.architecture, config_values(whole.network)), card=card)
    assert with_learned_views(whole, [four_chamber], start) == (whole, ())
    of_two = replace(start, card=replace(card, grids={view: card.grids[view] for view in ALL[:2]}))
    fewer, dropped = with_learned_views(whole, [four_chamber], of_two)
    assert views_of(fewer)[0] == [View.LAX_2C, View.LAX_4C] and dropped == (View.LAX_3C,)


def test_a_view_that_an_autoencoder_saw_without_labels_does_not_stay(four_chamber: AnnotatedStudy) -> None:
    start = load_model("cinema-small")
    assert View.LAX_2C in start.card.grids
    fewer, dropped = with_learned_views(lax_unetr(), [four_chamber], start)
    assert views_of(fewer) == ([View.LAX_4C], ["lax_4c"]) and dropped == (View.LAX_2C,)


def test_points_that_are_missing_in_all_frames_teach_no_view(four_chamber: AnnotatedStudy) -> None:
    marks = four_chamber.landmarks[View.LAX_4C]
    lost = replace(marks, view=View.LAX_2C, points={n: np.full((2, 3), np.nan) for n in LANDMARKS[View.LAX_2C]})
    given = replace(four_chamber, landmarks={View.LAX_4C: marks, View.LAX_2C: lost})
    assert views_of(with_learned_views(lax_unet(), [given], None)[0])[0] == [View.LAX_4C]


def test_nothing_changes_where_no_view_would_be_left_or_only_one_is_asked_for(four_chamber: AnnotatedStudy) -> None:
    two_chamber = study([View.LAX_2C])
    assert with_learned_views(lax_coordinates(), [two_chamber], None) == (lax_coordinates(), ())
    assert with_learned_views(lax_coordinates(), [four_chamber], None) == (lax_coordinates(), ())
    whole = study(ALL)
    assert with_learned_views(lax_unet(), [whole], None) == (lax_unet(), ())


def test_the_card_of_a_run_has_the_learned_views_and_a_note_names_the_others(
    four_chamber: AnnotatedStudy, tmp_path: Path
) -> None:
    card = DatasetCard(name="planes", title="Planes", licence="CC0", citation="", how_to_get="")
    split = Split(dataset="planes", parts={"train": ("p",), "validation": ()}, rule="by hand")
    data = TrainingData(card=card, split=split, train=[four_chamber], val=[])
    base = lax_unet().with_train(n_steps=1, batch_size=1, accelerator="cpu", precision="fp32")
    experiment = replace(base, network=replace(base.network, chans=(4, 8)))
    notes: list[str] = []
    run = prepare_run(experiment, data, tmp_path, note=notes.append)
    assert notes == ["no training study has labels of the 2-chamber or 3-chamber view: the model does not have it"]
    trained = run.execute().card
    assert list(trained.grids) == [View.LAX_4C] and trained.outputs == LANDMARKS[View.LAX_4C]
