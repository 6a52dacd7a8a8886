"""NAME@HASH is the model of that hash or an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.models.cards import embedded_folder, read_card
from cinema_cmr.models.pins import check_pin, split_pin
from cinema_cmr.models.weights import load_model, weights_hash

SHA = read_card(embedded_folder("cinema-small")).weights_sha256


def test_a_pin_is_the_beginning_of_the_hash() -> None:
    assert weights_hash(f"cinema-small@{SHA[:8]}") == weights_hash(f"cinema-small@{SHA.upper()}") == SHA
    with pytest.raises(WeightsError, match=f"SHA-256 {SHA[:12]}.*expected 000000000000"):
        load_model("cinema-small@" + 64 * "0")
    check_pin(read_card(embedded_folder("cinema-small")), "")


@pytest.mark.parametrize("name", ["cinema-small@", "cinema-small@12", "cinema-small@latest", "@01234567"])
def test_what_is_no_hash_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected NAME@HASH"):
        split_pin(name)


def test_a_path_that_exists_is_no_pin(tmp_path: Path) -> None:
    (tmp_path / "run@lab").mkdir()
    assert split_pin(tmp_path / "run@lab") == (str(tmp_path / "run@lab"), "")
