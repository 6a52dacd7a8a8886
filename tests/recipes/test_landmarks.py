"""Landmark recipes: a network output for each point, on the grids of its task."""

from __future__ import annotations

import pytest

from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.recipes.landmarks import lax_coordinates, lax_unet, lax_unetr


@pytest.mark.parametrize(("create", "n_outputs"), [(lax_unet, 3), (lax_unetr, 3), (lax_coordinates, 6)])
def test_a_recipe_has_an_output_for_each_point(create: object, n_outputs: int) -> None:
    experiment = create()  # type: ignore[operator]
    views = {lax_coordinates: [View.LAX_4C], lax_unetr: [View.LAX_2C, View.LAX_4C]}.get(create, list(LANDMARKS))
    assert experiment.network.out_chans == n_outputs and list(experiment.task.grids) == views
