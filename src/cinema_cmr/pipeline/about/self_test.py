"""A short analysis with known numbers: the bundled study at end-diastole and end-systole, from DICOM to volumes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.read import read_study
from cinema_cmr.phantom.demo import demo_path, demo_truth
from cinema_cmr.pipeline.analysis_options import Options
from cinema_cmr.pipeline.analyzer import Analyzer

__all__ = ["EXPECTED", "SelfTest", "SelfTestValue", "run_self_test", "self_test_study"]

_FRAMES = (0, 7)
"""End-diastole and end-systole of the bundled study."""


class Expected(NamedTuple):
    """A value of the self-test as it was recorded, and how far another machine may be from it."""

    value: float
    tolerance: float
    unit: str


EXPECTED: Mapping[str, Expected] = {
    "lv_ef_percent": Expected(53.7, 1.0, "%"),
    "lv_edv_ml": Expected(186.0, 4.0, "ml"),
    "lv_esv_ml": Expected(86.1, 3.0, "ml"),
    "lv_mass_g": Expected(124.1, 4.0, "g"),
    "rv_ef_percent": Expected(46.1, 1.5, "%"),
    "rv_edv_ml": Expected(185.1, 5.0, "ml"),
}
"""Measurement -> value of `cinema-sax` on a CPU in float32. The tolerances cover bfloat16, other
processors and libraries; a model that is broken, or images that are read wrongly, differ by far more."""


@dataclass(frozen=True, kw_only=True)
class SelfTestValue:
    """One measurement of the self-test, beside what was expected and the truth of the synthetic heart."""

    name: str
    unit: str
    found: float | None
    expected: float
    tolerance: float
    truth: float

    @property
    def passed(self) -> bool:
        """Whether the value is within its tolerance."""
        return self.found is not None and abs(self.found - self.expected) <= self.tolerance


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """Outcome of the self-test."""

    values: tuple[SelfTestValue, ...]
    seconds: float
    """From the start of reading to the last measurement."""

    @property
    def passed(self) -> bool:
        """Whether all values are as expected."""
        return all(value.passed for value in self.values)


def self_test_study() -> Study:
    """Return the short axis of the bundled study at end-diastole and end-systole, read from its DICOM files."""
    study = read_study(demo_path())
    return replace(study, cines=(study.cine(View.SAX).select(frames=_FRAMES),))


def run_self_test(*, device: str = "auto", precision: str = "auto") -> SelfTest:
    """Read, segment and measure, and compare with the recorded values; raises what an analysis raises."""
    start, truth = time.perf_counter(), demo_truth()
    options = Options.of(device=device, precision=precision, landmarks=None, disease=None)
    found = Analyzer(options).analyse(self_test_study()).measurements
    return SelfTest(
        values=tuple(
            SelfTestValue(
                name=name,
                unit=expected.unit,
                found=found[name].value,
                expected=expected.value,
                tolerance=expected.tolerance,
                truth=truth[name],
            )
            for name, expected in EXPECTED.items()
        ),
        seconds=time.perf_counter() - start,
    )
