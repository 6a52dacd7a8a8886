"""Two results of one heart, the model's and a reader's, and one of another scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corrected_results import edited_mask, heart_analysis, heart_study, shrunk, written_results
from interop_hearts import with_atria

from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.pipeline.compare_results import compare_results
from cinema_cmr.pipeline.remeasure import Corrections, remeasure
from cinema_cmr.report.comparison.results_comparison import ResultsComparison
from cinema_cmr.report.write import write_results


def six_frames(cine: Cine) -> Cine:
    """Every frame but the last two, over the same beat, with other grey values."""
    shorter = cine.select(frames=range(6))
    times = np.arange(6) * 800 / 6
    return replace(shorter, array=shorter.array + np.float32(1), frame_times_ms=times, rr_interval_ms=800.0)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Results folders: of the model, of a reader who corrected frames 0 and 4, of another visit of six frames, and of
    a model with atria.
    """
    root = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cinema_cmr.report.html.write_report", lambda *given: given[-1].write_text("page"))
        model = written_results(root / "model")
        mask = edited_mask(model, root / "edited.nii.gz", shrunk(0, 4))
        rules = {"basal_rule": "all-slices", "ed_frame": 0, "es_frame": 4, "height_cm": 171.0}
        write_results(remeasure(model, Corrections(masks={View.SAX: mask}, rules=rules)), root / "reader")
        study = heart_study()
        visit = Study(name="Anna", cines=tuple(map(six_frames, study.cines)), subject=study.subject)
        analysis = heart_analysis(visit)
        later = replace(analysis, run=replace(analysis.run, input_sha256="ef" * 32))
        write_results(later, root / "visit")
        write_results(with_atria(heart_analysis()), root / "chambers")
    return {name: root / name for name in ("model", "reader", "visit", "chambers")}


@pytest.fixture(scope="session")
def corrected(folders: dict[str, Path]) -> ResultsComparison:
    """The model's results and the reader's."""
    return compare_results(folders["model"], folders["reader"], names=("model", "reader"))


@pytest.fixture(scope="session")
def visits(folders: dict[str, Path]) -> ResultsComparison:
    """The model's results of two scans of different frames."""
    return compare_results(folders["model"], folders["visit"])


@pytest.fixture(scope="session")
def without_and_with_atria(folders: dict[str, Path]) -> ResultsComparison:
    """The results of a model without atria and of one with them."""
    return compare_results(folders["model"], folders["chambers"], names=("old", "new"))
