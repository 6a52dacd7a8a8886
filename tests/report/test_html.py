"""The report of one study."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corrected_results import heart_analysis
from interop_hearts import with_atria

from cinema_cmr.core.analysis import Analysis, NormalRange
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.core.results import Prediction
from cinema_cmr.core.study import Issue, Study, Subject
from cinema_cmr.core.vocabulary import NOTICE, View
from cinema_cmr.io.read import read_study
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES
from cinema_cmr.report.html import report_html, write_report
from cinema_cmr.report.pictures import stack_film
from cinema_cmr.report.record.build import build_record

Predictions = dict[View, Prediction]
VOID = {"meta", "input", "br", "image", "path", "line", "use", "rect", "link"}
BAD = "<script>alert('x')</script>"


class Page(HTMLParser):
    """The elements of a page, with those that were opened and not closed, or closed and not opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]

    def addresses(self) -> Iterator[str]:
        for _, attributes in self.elements:
            for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
                if attributes.get(name) is not None:
                    yield str(attributes[name])


def normal_range(name: str, lower: float, upper: float, unit: str) -> NormalRange:
    return NormalRange(
        name=name,
        sex="F",
        age_low=60,
        age_high=70,
        lower=lower,
        upper=upper,
        unit=unit,
        citation="Somebody 2017",
        papillary_rule="",
    )


def page_of(analysis: Analysis) -> str:
    return report_html(analysis, build_record(analysis))


@pytest.fixture(scope="module")
def text(analysis: Analysis) -> str:
    ranges = (normal_range("lv_ef_percent", 51.0, 70.0, "%"), normal_range("lv_edv_ml", 88.0, 161.0, "ml"))
    return page_of(replace(analysis, normal_ranges=ranges))


def player(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'id="player-data">(.*?)</script>', text, flags=re.DOTALL)
    data: dict[str, Any] = json.loads(found)
    return data


def test_page_is_well_formed_with_links_that_lead_somewhere(text: str) -> None:
    page = Page(text)
    assert (page.wrong, page.open) == ([], [])
    ids = page.ids()
    assert len(ids) == len(set(ids))
    inside = {address[1:] for address in page.addresses() if address.startswith("#")}
    assert inside <= set(ids)


@pytest.mark.medium
def test_a_range_says_whose_it_is_and_where_none_applies_the_page_says_why(text: str, analysis: Analysis) -> None:
    assert text.count('<p class="population">of women of 60–70 years, Somebody 2017</p>') == 2
    assert "no-ranges" not in text.split("<body>")[1]
    nameless = page_of(replace(analysis, study=replace(analysis.study, subject=Subject(sex="F"))))
    assert "No reference ranges are shown: age of the subject is unknown." in nameless
    assert '<p class="population">' not in nameless and 'class="bar"' not in nameless
    study = replace(analysis.study, subject=Subject(sex="M", age_years=20))
    young = page_of(replace(analysis, study=study, normal_ranges=NORMAL_RANGES))
    assert "the table, of 45 to 74 years, has none for this subject&#39;s sex and age of 20" in young


def test_the_spread_of_experts_has_a_unit_of_its_own(text: str) -> None:
    assert "expert readers differ by 4.6–7.5 percentage points" in text and "4.6–7.5 %" not in text


def test_a_heading_stays_with_what_follows_in_print_and_captions_have_a_ground(text: str) -> None:
    rules = text.split("@media print")[1]
    kept = re.search(r"([^{}]*)\{ break-after: avoid; \}", rules)
    assert kept and {"h2", "h3", ".lead"} <= {one.strip() for one in kept[1].split(",")}
    assert re.search(r"\.tile > span \{[^}]*background: rgb\(0 0 0", text)


def test_page_needs_no_network(text: str) -> None:
    outside = [a for a in Page(text).addresses() if not a.startswith(("#", "data:image/webp;base64,"))]
    assert outside == []
    assert "//" not in re.sub(r"data:image/webp;base64,[\w+/=]+", "", text).replace("// Plays", "")
    assert "@import" not in text
    assert not [url for url in re.findall(r"url\(([^)]*)\)", text) if not url.startswith("#")]
    assert "default-src 'none'" in text


def test_page_says_first_and_last_what_it_is_not(text: str) -> None:
    body = text[text.index("<body") :]
    assert body.count(NOTICE) == 2
    assert body.index(NOTICE) < body.index("<h1>") < body.rindex(NOTICE)
    assert "not a medical device" in body.lower()


def test_page_holds_numbers_flags_views_curves_and_versions(text: str) -> None:
    for wanted in (
        "study7",
        "female",
        "61 years",
        "below reference 51–70 %",
        "Somebody 2017",
        "Stroke volumes differ",
        "a localizer",
        "left out",
        "Frame 3 was missing",
        "time, ms",
        "anterior",
        "1 component removed",
        "ab" * 32,
        "doi 10.1186/s12968-015-0170-9",
        "rule of %",
    ):
        assert wanted in text, wanted
    assert text.index("Stroke volumes differ") < text.index("Six slices"), "errors come before notes"


def test_player_has_an_outline_for_each_frame_of_each_slice(text: str) -> None:
    data = player(text)
    assert data["frames"] == 8
    assert data["times"] == [40.0 * t for t in range(8)]
    assert data["marks"] == {"ED": 0, "ES": 4}
    assert data["cycle"] == pytest.approx(60_000 / 64)
    assert set(data["paths"]) == {*(f"stack-{z}" for z in range(6)), "view-0"}
    assert {len(paths) for tile in data["paths"].values() for paths in tile.values()} == {8}
    tiles = [a["data-tile"] for tag, a in Page(text).elements if tag == "svg" and "data-tile" in a]
    assert tiles == ["view-0", "view-1", *(f"stack-{z}" for z in range(6))]


@pytest.mark.medium
def test_curves_of_the_atria_have_plots_of_their_own(text: str, analysis: Analysis) -> None:
    found = analysis.measurements
    n_frames = len(found.curves["lv_volume_ml"])
    curves = {"la_volume_ml": np.linspace(40, 80, n_frames), "ra_area_4c_cm2": np.linspace(10, 18, n_frames)}
    one = found.measured[0]
    fullest = replace(one, name="la_volume_max_ml", value=80.0, frames=(5,), reason=None)
    measured = replace(found, measured=(*found.measured, fullest), curves={**found.curves, **curves})
    page = page_of(replace(analysis, measurements=measured))
    plot = page.split("<h3>Left atrial volume, ml</h3>")[1].split("</figure>")[0]
    assert "var(--curve-la)" in plot and ">max<" in plot
    assert "<h3>Right atrial area, 4-chamber, cm²</h3>" in page and "An atrium is fullest" in page
    assert {"la", "ra"} <= set(re.findall(r"--curve-(\w+):", page))
    assert "atri" not in text.split('id="curves"')[1].split("</section>", maxsplit=1)[0]


@pytest.mark.medium
def test_each_long_axis_view_has_a_line_in_the_plot_of_the_valve(analysis: Analysis) -> None:
    found = analysis.measurements
    n_frames = len(found.curves["lv_volume_ml"])
    lengths = {f"long_axis_length_{view}_mm": np.linspace(90, 80, n_frames) for view in ("4c", "2c", "3c")}
    page = page_of(replace(analysis, measurements=replace(found, curves={**found.curves, **lengths})))
    plot = page.split("<h3>Mitral valve to apex, mm</h3>")[1].split("</figure>")[0]
    assert re.findall(r">([234]C)<", plot) == ["4C", "2C", "3C"]
    for view in ("4c", "2c", "3c"):
        assert f"var(--curve-axis_{view})" in plot and page.count(f"--curve-axis_{view}:") == 3  # light, dark, print
    lengths = {"long_axis_length_3c_mm": lengths["long_axis_length_3c_mm"]}
    alone = page_of(replace(analysis, measurements=replace(found, curves={**found.curves, **lengths})))
    assert "The distance from mitral valve to apex" in alone and ">4C<" not in alone


@pytest.mark.medium
def test_names_and_messages_are_harmless(analysis: Analysis) -> None:
    study = analysis.study
    bad = replace(
        study,
        name=BAD,
        issues=(Issue(code="x", severity="info", message=BAD, evidence={BAD: BAD}),),
        decisions=tuple(replace(decision, series=BAD, reason=BAD) for decision in study.decisions),
        cines=tuple(replace(cine, label=f'"{BAD}') for cine in study.cines),
    )
    measured = tuple(replace(one, title=BAD, rule=BAD) for one in analysis.measurements.values())
    facts = replace(analysis.run, device=BAD, seconds={BAD: 1.0})
    measurements = replace(analysis.measurements, measured=measured)
    harmless = page_of(replace(analysis, study=bad, measurements=measurements, run=facts))
    assert "<script>alert" not in harmless
    assert "&lt;script&gt;alert" in harmless
    page = Page(harmless)
    assert (page.wrong, page.open) == ([], [])
    assert [tag for tag, _ in page.elements].count("script") == 2


def test_a_study_without_a_stack_or_measurements_has_a_report(bare: Analysis) -> None:
    text = page_of(replace(bare, study=Study(name="x", cines=(bare.study["lax_4c"],))))
    assert (Page(text).wrong, Page(text).open) == ([], [])
    assert "Nothing was measured" in text
    assert "No quality check raised a flag" in text
    assert player(text)["frames"] == 8


def test_a_single_frame_is_shown_without_a_player(bare: Analysis) -> None:
    still = bare.study["sax"].select(frames=0)
    text = page_of(replace(bare, study=Study(name="x", cines=(still,))))
    assert 'data-do="play"' not in text
    assert "First frame" in text
    assert (Page(text).wrong, Page(text).open) == ([], [])


@pytest.mark.medium
def test_file_is_whole_or_not_there(analysis: Analysis, tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"
    record = build_record(analysis)
    write_report(analysis, record, path)
    written = path.read_text(encoding="utf-8")
    assert written.rstrip().endswith("</html>")
    assert len(written) < 500_000
    with pytest.raises(OutputExistsError):
        write_report(analysis, record, path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.browser
def test_player_moves_in_a_browser(text: str, study: Study, predictions: Predictions, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium or google-chrome on the path")
    press = """<script>
    document.querySelector('[data-do="ES"]').click();
    document.querySelector('[data-do="outlines"]').click();
    document.querySelector("button.tile").click();
    </script></body>"""
    path = tmp_path / "page.html"
    path.write_text(text.replace("</body>", press), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [browser, *options, "--virtual-time-budget=500", "--dump-dom", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "frame 4 · 160 ms · ES" in shown
    assert '<body class="bare">' in shown
    assert 'class="tile large"' in shown
    outline = player(text)["paths"]["stack-0"]["lv"][4]
    tile = shown.split('data-tile="stack-0"')[1].split("</svg>")[0]
    assert f'd="{outline}"' in tile
    film = stack_film(study, predictions)
    assert film is not None
    x, y = film.offset(4)
    assert x < -film.width, "the fourth frame is not in the first column"
    assert f'x="{x}" y="{y}"' in tile


@pytest.mark.realdata
def test_report_of_a_real_study_of_many_views(real_data: Path, bare: Analysis) -> None:
    study = read_study(real_data / "multiview_dicom" / "study")
    text = page_of(replace(bare, study=study))
    assert (Page(text).wrong, Page(text).open) == ([], [])
    assert len(text) < 4_000_000
    assert [tag for tag, _ in Page(text).elements].count("figure") == len(study.cines)


@pytest.mark.medium
def test_atria_are_outlined_and_named_where_a_long_axis_has_them() -> None:
    plain, chambers = heart_analysis(), with_atria(heart_analysis())
    text = page_of(chambers)
    views = text[text.index('id="views"') : text.index('id="slices"')]
    keys = ('<span class="key la">left atrial cavity</span>', '<span class="key ra">right atrial cavity</span>')
    assert all(views.count(key) == text.count(key) == 1 for key in keys), "beside the views alone"
    tiles = player(text)["paths"].values()
    assert [sum("la" in tile for tile in tiles), sum(any(tile.get("ra", ())) for tile in tiles)] == [1, 1]
    assert "--la: #f59e0b;" in text and "--ra: #a855f7;" in text and ".outlines .la { stroke: var(--la); }" in text
    assert 'class="key rv"' in text and (Page(text).wrong, Page(text).open) == ([], [])
    first = dict(reversed(chambers.predictions.items()))
    assert page_of(replace(chambers, predictions=first)).count('class="key lv"') == text.count('class="key lv"')
    assert 'class="key la"' not in page_of(plain)
    labels = chambers.predictions[View.LAX_4C].labels
    left = replace(labels, array=np.where(labels.array == 5, 0, labels.array).astype(np.uint8))
    only = {**chambers.predictions, View.LAX_4C: replace(chambers.predictions[View.LAX_4C], labels=left)}
    without_ra = page_of(replace(chambers, predictions=only))
    assert 'class="key la"' in without_ra and 'class="key ra"' not in without_ra
