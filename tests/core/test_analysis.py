"""The analysis of a study."""

from __future__ import annotations

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.results import Measurements
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study


def test_repr_fits_on_a_few_lines() -> None:
    run = RunFacts(model_name="m", model_hash=None, device="cpu", precision="fp32")
    analysis = Analysis(study=Study(name="x", cines=()), predictions={}, measurements=Measurements(), run=run)
    assert repr(analysis).splitlines() == [
        "Analysis(Study('x': no cines; 0 issues),",
        "  segmented no views with 'm',",
        "  Measurements(0 of 0 measured, 0 curves; flags: none))",
    ]
