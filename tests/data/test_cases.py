"""Splits: by patient, the same shares of every group, whatever the order of a listing, kept in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UnreadableFileError, UsageError
from cinema_cmr.data.cases import Split, read_split, stratified_split, subset_patients, write_split

STRATA = {f"p{number:03d}": ("healthy", "dilated", "thick")[number % 3] for number in range(60)}
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def drawn(strata: dict[str, str] = STRATA, seed: int = 0) -> Split:
    return stratified_split("made", strata, shares=SHARES, seed=seed)


def test_every_patient_is_in_exactly_one_part() -> None:
    names = [name for part in drawn().parts.values() for name in part]
    assert sorted(names) == sorted(STRATA) and len(set(names)) == len(names)


def test_every_group_is_divided_by_the_shares() -> None:
    for part, share in SHARES.items():
        groups = [STRATA[name] for name in drawn()[part]]
        assert {groups.count(group) for group in set(STRATA.values())} == {round(20 * share)}


@pytest.mark.parametrize("sizes", [(1,) * 5, (2,) * 10, (1, 3, 1, 7, 2, 2), (3, 1), (1,)])
def test_small_groups_are_divided_too(sizes: tuple[int, ...]) -> None:
    strata = {f"p{group}-{number}": f"g{group}" for group, n in enumerate(sizes) for number in range(n)}
    for shares in ({"train": 0.8, "validation": 0.2}, {"train": 0.7, "validation": 0.15, "test": 0.15}):
        parts = stratified_split("made", strata, shares=shares, seed=3).parts
        assert sorted(name for names in parts.values() for name in names) == sorted(strata)
        for part, share in shares.items():
            assert abs(len(parts[part]) - share * len(strata)) <= 1, "as of all patients together"
        assert len(parts["train"]) == round(shares["train"] * len(strata))


def test_the_order_of_a_listing_changes_nothing_and_the_seed_does() -> None:
    turned = dict(reversed(STRATA.items()))
    assert drawn(turned) == drawn() and drawn(turned).sha256 == drawn().sha256
    assert drawn(seed=1)["test"] != drawn()["test"]


def test_one_patient_more_in_a_group_leaves_the_other_groups_alone() -> None:
    more = drawn({**STRATA, "p999": "thick"})
    for part in SHARES:
        assert {n for n in more[part] if STRATA.get(n) == "healthy"} == {
            n for n in drawn()[part] if STRATA[n] == "healthy"
        }


@pytest.mark.parametrize("shares", [{"train": 0.5, "test": 0.4}, {"train": 1.5, "test": -0.5}])
def test_shares_must_be_shares(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="sum to 1"):
        stratified_split("made", STRATA, shares=shares, seed=0)


def test_a_split_comes_back_from_its_file(tmp_path: Path) -> None:
    write_split(drawn(), tmp_path / "split.json")
    assert read_split(tmp_path / "split.json", patients=STRATA) == drawn()


def changed(path: Path, **content: object) -> Path:
    write_split(drawn(), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **content}))
    return path


def test_a_file_changed_by_hand_is_refused(tmp_path: Path) -> None:
    parts = {part: list(names) for part, names in drawn().parts.items()}
    parts["train"].append(parts["test"].pop())
    with pytest.raises(InputError, match="does not match its hash"):
        read_split(changed(tmp_path / "split.json", parts=parts))


def test_a_patient_in_two_parts_is_refused_even_with_a_fitting_hash(tmp_path: Path) -> None:
    twice = Split(dataset="made", parts={"train": ("a", "b"), "test": ("b",)}, rule="by hand")
    write_split(twice, tmp_path / "split.json")
    with pytest.raises(InputError, match="in two parts"):
        read_split(tmp_path / "split.json")


def test_patients_that_are_not_in_the_data_are_named(tmp_path: Path) -> None:
    write_split(drawn(), tmp_path / "split.json")
    known = set(STRATA) - {drawn()["test"][0]}
    with pytest.raises(InputError, match=drawn()["test"][0]):
        read_split(tmp_path / "split.json", patients=known)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"parts": {"train": 3}}'])
def test_an_invalid_split_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(UnreadableFileError, match="not a split file"):
        read_split(tmp_path / "split.json")


def test_an_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="train, validation, test"):
        drawn()["valid"]


def test_few_patients_show_all_groups_and_more_hold_the_fewer() -> None:
    strata = {f"p{number:02}": "abcd"[number % 4] for number in range(40)}
    chosen = {n: subset_patients(strata, n=n, seed=1) for n in (4, 6, 40)}
    assert {strata[patient] for patient in chosen[4]} == set("abcd")
    assert set(chosen[4]) < set(chosen[6]) and sorted(chosen[40]) == sorted(strata)
    assert (
        subset_patients(dict(reversed(strata.items())), n=4, seed=1)
        == chosen[4]
        != subset_patients(strata, n=4, seed=2)
    )


@pytest.mark.parametrize("n", [0, 6])
def test_more_patients_than_there_are_are_refused(n: int) -> None:
    with pytest.raises(UsageError, match="expected 1 to 5"):
        subset_patients(dict.fromkeys("abcde", "x"), n=n, seed=0)
