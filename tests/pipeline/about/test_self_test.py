"""The self-test passes with the bundled model, and fails with any other numbers."""

from __future__ import annotations

import pytest

from cinema_cmr.pipeline.about.self_test import EXPECTED, SelfTest, SelfTestValue, run_self_test, self_test_study


@pytest.mark.medium
def test_the_bundled_model_gives_the_expected_numbers() -> None:
    test = run_self_test()
    assert test.passed, [(value.name, value.found, value.expected) for value in test.values]
    assert [value.name for value in test.values] == list(EXPECTED)
    (cine,) = self_test_study()
    assert (str(cine.view), cine.n_frames, cine.n_slices) == ("sax", 2, 12)


@pytest.mark.parametrize(("found", "passed"), [(55.9, True), (57.0, False), (None, False)])
def test_a_value_is_held_against_its_tolerance(found: float | None, passed: bool) -> None:
    value = SelfTestValue(name="x", unit="%", found=found, expected=55.0, tolerance=1.0, truth=58.0)
    assert value.passed == SelfTest(values=(value,), seconds=1.0).passed == passed
