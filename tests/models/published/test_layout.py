"""The table of published tasks: each is found from a configuration and from a card."""

from __future__ import annotations

import pytest
from small_models import unetr_card

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.published.layout import task_of_card, task_of_settings
from cinema_cmr.models.published.settings import Settings


@pytest.mark.parametrize(
    ("task", "data", "found"),
    [
        (None, None, ("pretrain", "tokens")),
        ("segmentation", "acdc", ("segment", "classes")),
        ("segmentation", "landmark", ("landmark", "heatmaps")),
        ("regression", "landmark", ("landmark", "coordinates")),
        ("regression", "mnms", ("regress", "numbers")),
        ("classification", "mnms", ("classify", "classes")),
    ],
)
def test_a_configuration_names_its_task(task: str | None, data: str | None, found: tuple[str, str]) -> None:
    published = task_of_settings(Settings({"task": task, "data": {"name": data}}))
    assert (published.task, published.output_kind) == found


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(UsageError, match="task is 'dream'; expected one of"):
        task_of_settings(Settings({"task": "dream"}))


def test_a_card_names_its_task() -> None:
    assert task_of_card(unetr_card()).word == "segmentation"
