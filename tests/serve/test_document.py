"""The document and the numbers of a study, as the page takes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import landmark_results

from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, LANDMARKS, View
from cinema_cmr.measure.definition import SHORT_NAMES
from cinema_cmr.serve.application import STATIC
from cinema_cmr.serve.document import SHOWN_VALUES, flag_message, numbers_of, own_values, segments_of, study_document
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.opened_study import OpenedStudy, open_study

pytestmark = pytest.mark.medium


@pytest.fixture
def study(results: Path) -> OpenedStudy:
    return open_study(results, Library([results]).record(results))


def test_slices_are_counted_along_the_lines_of_a_long_axis(study: OpenedStudy) -> None:
    """The centre of a stack's slice, seen in the plane of the long axis, lies on the line of that slice."""
    document = study_document(study, "key")
    lines = document["views"]["lax_4c"]["slice_lines"]  # type: ignore[index, call-overload]
    stack, plane = study.views[View.SAX].cine, study.views[View.LAX_4C].cine
    for index, (a, b, c) in enumerate(lines):  # type: ignore[arg-type]
        point = stack.affine @ [20, 20, index, 1]
        u, v, _, _ = np.linalg.inv(plane.affine) @ point
        # A point beside the plane of the long axis is moved onto it along that plane's normal, within the slice.
        assert a * u + b * v + c == pytest.approx(0, abs=1e-3)  # type: ignore[operator]


def test_atria_are_drawn_in_the_long_axes_of_a_cine_alone(study: OpenedStudy, late: Path) -> None:
    """Also in results of a model without them: a reader may add them."""
    document: Any = study_document(study, "key")
    views = document["views"]
    names = {view: [label["name"] for label in one["labels"]] for view, one in views.items()}
    assert names == {"sax": ["rv", "myo", "lv"], "lax_4c": ["rv", "myo", "lv", "la", "ra"]}
    assert (document["scheme"], [one["scheme"] for one in views.values()]) == ("cine", ["cine", "chambers"])
    assert study_document(open_study(late, Library([late]).record(late)), "key")["scheme"] == "scar"


def test_the_page_draws_the_codes_and_colours_of_the_vocabulary() -> None:
    script = (STATIC / "picture.js").read_text(encoding="utf-8").split("scar: [")[0]
    found = re.findall(r'name: "(\w+)".*?code: (\d).*?colour: "(#\w+)"', script)
    assert {name: (int(code), colour) for name, code, colour in found} == {
        label.name: (label.code, label.colour) for label in LABEL_SCHEMES["chambers"]
    }
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    for label in LABEL_SCHEMES["chambers"]:
        assert f"--{label.name}: {label.colour};" in style and (
            label.name == "lv" or f".swatch.{label.name} i" in style
        )


def test_the_card_of_the_long_axis_has_each_hinge_point() -> None:
    sides = {name.removeprefix("mitral_") for names in LANDMARKS.values() for name in names} - {"apex"}
    script = (STATIC / "panel.js").read_text(encoding="utf-8")
    (card,) = re.findall(r"^const LONG_CARD = .*;$", script, flags=re.MULTILINE)
    assert set(re.findall(r"mapse_(\w+)_mm", card)) == {*sides, "mean"}
    assert {f"mapse_{side}_mm" for side in (*sides, "mean")} == {one for one in SHOWN_VALUES if "mapse" in one}
    assert {f"long_axis_shortening_{view}_percent" for view in SHORT_NAMES.values()} <= set(SHOWN_VALUES)


def test_points_of_a_3_chamber_view_are_shown_with_their_numbers(tmp_path: Path) -> None:
    folder = landmark_results(tmp_path, views=(View.LAX_4C, View.LAX_3C))
    study = open_study(folder, Library([folder]).record(folder))
    document: Any = study_document(study, "key")
    assert list(document["points"]["lax_3c"]) == ["mitral_anteroseptal", "mitral_inferolateral", "apex"]
    values = numbers_of(study).values
    assert values["mapse_inferolateral_mm"] == pytest.approx(values["mapse_lateral_mm"])
    assert values["long_axis_shortening_3c_percent"] == pytest.approx(values["long_axis_shortening_4c_percent"])
    assert "long_axis_shortening_2c_percent" not in values


def test_numbers_before_and_after_a_correction(study: OpenedStudy) -> None:
    own = own_values(study.record)
    before = numbers_of(study)
    assert before.values == before.own_values and before.flags
    assert before.flags[0].code == study.record.flags[0].code
    study.change("sax", 0, 2, np.zeros(study.views[View.SAX].cine.shape[:2], np.uint8))
    quick, full = numbers_of(study, quick=True), numbers_of(study)
    assert quick.flags is None and full.flags is not None
    assert quick.values["lv_edv_ml"] == full.values["lv_edv_ml"] != own["lv_edv_ml"]
    assert full.own_values["lv_edv_ml"] == own["lv_edv_ml"]
    assert (full.corrected == [("sax", 0, 2)] and 2 not in full.slices["lv_edv_ml"]) or full.ed_frame != 0


def test_segments_are_grouped_by_what_was_measured() -> None:
    def one(name: str, value: float | None) -> Measurement:
        return Measurement(name=name, title="t", value=value, unit="mm", method="m", rule="r")

    values = [one(f"wall_thickness_ed_mm_aha{n:02d}", float(n)) for n in range(1, 16)]
    plots = segments_of([*values, one("lv_mass_g", 3.0), one("wall_thickness_es_mm_aha01", None)])
    assert [(plot.title, plot.low, plot.high, plot.values[14], plot.values[15]) for plot in plots] == [
        ("Wall thickness ED", 1.0, 15.0, 15.0, None)
    ]


def test_evidence_of_a_flag_becomes_plain_values() -> None:
    flag = Flag(code="a-b", severity="info", message="m", evidence={"frame": 3, "share": 0.5, "unknown": None})
    assert flag_message(flag).evidence == {"frame": 3, "share": 0.5, "unknown": None}
