"""Runs of label codes: there and back, and everything that is no slice is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import InputError
from cinema_cmr.report.record.label_runs import from_runs, to_runs


def test_there_and_back() -> None:
    codes = np.random.default_rng(0).integers(0, 4, (17, 9)).astype(np.uint8)
    np.testing.assert_array_equal(from_runs(to_runs(codes), (17, 9), n_codes=4), codes)


@pytest.mark.parametrize(
    "runs", [[], [0], [0, 5], [0, 7], [4, 6], [-1, 6], [0, -1, 0, 7], [0, 3, 1, 0, 0, 3], [0, 2**62, 0, 6]]
)
def test_what_is_no_slice_is_refused(runs: list[int]) -> None:
    with pytest.raises(InputError, match="expected"):
        from_runs(runs, (3, 2), n_codes=4)
