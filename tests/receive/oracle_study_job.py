"""The job of a received study with the true heart in place of a model: objects as in earnest, without a network."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "interop"))
from interop_hearts import analysed

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.interop import encapsulated_pdf
from cinema_cmr.io.provenance import input_digest
from cinema_cmr.pipeline.analyzer import Analyzer
from cinema_cmr.receive.study_job import analyse_and_export
from cinema_cmr.serve.worker import main


def analyse(_: Analyzer, source: Path, **__: object) -> Analysis:
    """The analysis of the analytic heart."""
    analysis = analysed(source)
    return replace(analysis, run=replace(analysis.run, input_sha256=input_digest(source)))


if __name__ == "__main__":
    Analyzer.analyse = analyse  # type: ignore[method-assign,assignment]
    encapsulated_pdf.find_browser = lambda: None  # type: ignore[attr-defined]
    sys.exit(main(sys.argv, analyse_and_export))
