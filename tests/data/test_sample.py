"""Gathering samples: nothing is moved, padding is marked as ignored, what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.sample import IGNORE_INDEX, Sample, collate, collate_by_views


def stack(n_slices: int, *, size: tuple[int, int] = (6, 4), view: str = "sax") -> Sample:
    generator = torch.Generator().manual_seed(n_slices)
    return Sample(
        name=f"stack {n_slices}",
        images={view: torch.rand(1, *size, n_slices, generator=generator) + 0.1},
        labels={view: torch.randint(0, 4, (*size, n_slices), generator=generator, dtype=torch.uint8)},
    )


def plane(size: tuple[int, int]) -> Sample:
    return Sample(name="plane", images={"lax_4c": torch.ones(1, *size)}, labels={"lax_4c": torch.ones(*size)})


def test_one_sample_is_itself_with_a_first_axis() -> None:
    batch = collate([stack(5)])
    assert batch.names == ("stack 5",)
    assert torch.equal(batch.images["sax"][0], stack(5).images["sax"])
    assert torch.equal(batch.labels["sax"][0], stack(5).labels["sax"])


def test_shorter_stacks_are_padded_and_the_padding_is_ignored() -> None:
    batch = collate([stack(3), stack(5)])
    assert batch.images["sax"].shape == (2, 1, 6, 4, 5) and batch.labels["sax"].shape == (2, 6, 4, 5)
    assert torch.equal(batch.images["sax"][0, ..., :3], stack(3).images["sax"])
    assert not batch.images["sax"][0, ..., 3:].any()
    assert (batch.labels["sax"][0, ..., 3:] == IGNORE_INDEX).all()
    assert torch.equal(batch.labels["sax"][1], stack(5).labels["sax"])
    assert batch.labels["sax"].dtype == torch.uint8


def test_samples_that_differ_are_refused() -> None:
    for samples in ([stack(3), stack(3, size=(4, 4))], [plane((6, 4)), plane((6, 5))]):
        with pytest.raises(UsageError, match="except for the number of slices"):
            collate(samples)
    with pytest.raises(UsageError, match="different views"):
        collate([stack(3), stack(3, view="lax_2c")])
    with pytest.raises(UsageError, match="at least one"):
        collate([])


def test_planes_of_one_size_are_gathered() -> None:
    assert collate([plane((6, 4)), plane((6, 4))]).images["lax_4c"].shape == (2, 1, 6, 4)


def test_a_batch_moves_with_all_it_has() -> None:
    moved = collate([stack(3)]).to(torch.device("meta"))
    assert moved.images["sax"].is_meta and moved.labels["sax"].is_meta and moved.names == ("stack 3",)


def test_samples_of_different_views_make_a_batch_each() -> None:
    first, second = collate_by_views([stack(3), plane((6, 4)), stack(5)])
    assert first.names == ("stack 3", "stack 5") and second.names == ("plane",)
    assert first.images["sax"].shape == (2, 1, 6, 4, 5)


def test_values_are_stacked_and_go_along() -> None:
    samples = [Sample(name=str(i), images={}, values={"points": torch.full((3, 2), float(i))}) for i in range(2)]
    batch = collate(samples).to(torch.device("cpu"))
    assert batch.values["points"].shape == (2, 3, 2) and batch.values["points"][1].unique().tolist() == [1.0]
    with pytest.raises(UsageError, match="different views or values"):
        collate([samples[0], Sample(name="none", images={})])


def test_a_teacher_s_labels_are_padded_with_zeros_and_absent_ones_are_zero() -> None:
    taught = replace(stack(3), soft_labels={"sax": torch.rand(4, 6, 4, 3) + 0.1})
    assert not collate([stack(3)]).soft_labels
    soft = collate([stack(5), taught]).soft_labels["sax"]
    assert soft.shape == (2, 4, 6, 4, 5) and not soft[0].any() and not soft[1, ..., 3:].any()
    assert torch.equal(soft[1, ..., :3], taught.soft_labels["sax"])
    assert torch.equal(collate([stack(5), taught]).to(torch.device("cpu")).soft_labels["sax"], soft)
