"""Which frames are exported: those that volumes were measured in, of a long axis those of its own LV area."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, Measurement, Measurements, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.interop.exported_frames import exported_phases


def analysis(view: View, areas: list[int], **frames: int) -> Analysis:
    """An analysis of one plane whose LV covers `areas` pixels in each frame."""
    labels = np.zeros((10, 1, 1, len(areas)), np.uint8)
    for t, area in enumerate(areas):
        labels[:area, 0, 0, t] = 3
    measured = tuple(
        Measurement(name=name, title="", value=1.0, unit="ml", method="", rule="", frames=(frame,))
        for name, frame in frames.items()
    )
    prediction = Prediction(
        view=view,
        labels=LabelMap(array=labels),
        confidence=np.ones(len(areas), np.float32),
        location=HeartLocation(centre=(0, 0), method="given"),
    )
    return Analysis(
        study=Study(name="s", cines=()),
        predictions=MappingProxyType({view: prediction}),
        measurements=Measurements(measured=measured),
        run=RunFacts(model_name="m", model_hash=None, device="cpu", precision="fp32"),
    )


def test_both_ventricles_phases_of_the_stack() -> None:
    one = analysis(View.SAX, [5, 4, 3, 2], lv_edv_ml=0, lv_esv_ml=3, rv_edv_ml=1, rv_esv_ml=3)
    found = exported_phases(one, View.SAX, "ed-es")
    assert [phase.title for phase in found] == ["LV ED (frame 0)", "RV ED (frame 1)", "LV ES, RV ES (frame 3)"]
    assert [phase.title for phase in exported_phases(one, View.SAX, "all")][2] == "frame 2"


def test_a_long_axis_has_phases_of_its_own() -> None:
    found = exported_phases(analysis(View.LAX_4C, [4, 7, 2, 5]), View.LAX_4C, "ed-es")
    assert [phase.title for phase in found] == ["LV ED (frame 1)", "LV ES (frame 2)"]


def test_frames_without_a_label_are_left_out() -> None:
    assert [p.frame for p in exported_phases(analysis(View.LAX_4C, [4, 0, 2]), View.LAX_4C, "all")] == [0, 2]
    assert [p.frame for p in exported_phases(analysis(View.SAX, [4]), View.SAX, "ed-es")] == [0]
