"""Controls within reach on desktop, tablet and phone; corrections without a keyboard; a folder dropped on the list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import OPENED, free_port, latest, running_server, until
from serving import landmark_results

from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.record.review import read_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

OUTSIDE = """() => [...document.querySelectorAll(".bar *, .tools *, .transport *, .edits *")]
  .filter((one) => /^(BUTTON|A|INPUT|SELECT|H1)$/.test(one.tagName) && one.checkVisibility())
  .filter((one) => { const box = one.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth + 0.5; })
  .map((one) => one.textContent || one.title)"""
"""Controls that reach beyond the screen at its sides."""
CUT = """() => [...document.querySelectorAll(".bar button, .bar h1, .edits button, .transport button")]
  .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"""
"""Controls whose text is cut."""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1024, 768), (768, 1024), (390, 844)])
def test_every_control_is_within_the_screen(
    browser: Browser, home: Path, results: Path, width: int, height: int
) -> None:
    with running_server(home, results, port=free_port()) as address:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        page.locator("tbody tr a").wait_for()
        assert (page.evaluate(OUTSIDE), page.evaluate(CUT)) == ([], [])
        page.locator("tbody tr a").click()
        until(OPENED, page)
        assert (page.evaluate(OUTSIDE), page.evaluate(CUT)) == ([], [])
        page.keyboard.press("b")
        page.locator(".edits").wait_for()
        assert (page.evaluate(OUTSIDE), page.evaluate(CUT)) == ([], [])
        page.close()


def _tap(page: Page, name: str) -> None:
    page.locator(".edits").get_by_role("button", name=name, exact=True).tap()
    latest(page)


def test_a_slice_is_corrected_by_touch_alone(browser: Browser, home: Path, results: Path) -> None:
    with running_server(home, results, port=free_port()) as address:
        context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
        page = context.new_page()
        page.goto(address)
        page.locator("tbody tr a").tap()
        until(OPENED, page)
        assert not page.locator(".edits").is_visible()
        page.get_by_role("button", name="Brush (B)").tap()
        index = page.evaluate("cinemaPage.plane.index")
        page.evaluate("cinemaPage.goFrame(1)")
        _tap(page, "Reject slice")
        _tap(page, "Copy to next frame")
        assert [(one.frame, one.slice) for one in read_review(results).slices] == [(1, index), (2, index)]
        page.evaluate("cinemaPage.goFrame(4)")
        _tap(page, "Reject slice")
        page.evaluate("cinemaPage.goFrame(3)")
        _tap(page, "Interpolate")
        assert sorted(one.frame for one in read_review(results).slices) == [1, 2, 3, 4]
        _tap(page, "Copy to next slice")
        assert (3, index + 1) in [(one.frame, one.slice) for one in read_review(results).slices]
        _tap(page, "Reset")
        until(lambda: (3, index + 1) not in [(one.frame, one.slice) for one in read_review(results).slices])
        _tap(page, "Count all")
        until(lambda: read_review(results).basal_rule == "all-slices")
        assert page.locator(".edits [aria-pressed=true]").inner_text() == "Count all"
        _tap(page, "Count all")
        until(lambda: read_review(results).basal_rule is None)
        page.evaluate("cinemaPage.setTool('look')")
        page.evaluate("cinemaPage.goPlane(cinemaPage.planeOf('lax_4c', 0))")
        page.evaluate("cinemaPage.plane.facts.has_mask = false")  # as of a model of the short axis alone
        page.get_by_role("button", name="Brush (B)").tap()
        assert page.evaluate("cinemaPage.plane.view") == "sax"  # where there is something to correct
        page.evaluate("cinemaPage.goPlane(cinemaPage.planeOf('lax_4c', 0))")
        assert page.locator(".edits").get_by_role("button", name="Reject slice").is_disabled()
        context.close()


def test_a_folder_is_dropped_on_the_list(browser: Browser, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "examination"
    (folder / "series 1").mkdir(parents=True)
    for name in ("series 1/1.dcm", "series 1/2.dcm", ".hidden"):
        (folder / name).write_bytes(b"x")
    with running_server(home, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("text=No studies yet").wait_for()
        session = page.context.new_cdp_session(page)
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 640, "y": 400, "data": data})
            if kind == "dragOver":
                page.locator(".drop").wait_for()
        assert not page.locator(".drop").is_visible()
        page.locator("tbody tr a").wait_for()
        sent = {path.name: path.parent.name for path in home.glob("studies/**/*.dcm")}
        assert sent == {"1.dcm": "series 1", "2.dcm": "series 1"} and not list(home.glob("studies/**/.hidden"))
        page.close()


def test_a_number_and_its_unit_stand_on_one_line(browser: Browser, home: Path, tmp_path: Path) -> None:
    """MAPSE of six sides, with the longest words."""
    results = landmark_results(tmp_path, views=(View.LAX_4C, View.LAX_2C, View.LAX_3C))
    with running_server(home, results, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr a").click()
        until(OPENED, page)
        assert page.locator("[data-value=mapse_inferolateral_mm]").count() == 1
        tops = """[...document.querySelectorAll(".card dd")].map((one) =>
          Math.abs(one.children[0].getBoundingClientRect().bottom - one.children[1].getBoundingClientRect().bottom))"""
        assert max(page.evaluate(tops)) < 8
        assert page.evaluate(
            "[...document.querySelectorAll('.card dl')].every((one) => one.scrollWidth <= one.clientWidth)"
        )


@pytest.mark.parametrize("width", [1280, 390])
def test_a_damaged_study_stands_in_the_list_with_what_to_do(
    browser: Browser, results: Path, home: Path, width: int
) -> None:
    (results / "review.json").write_text("{")
    with running_server(home, results, home / "template", port=free_port()) as address:
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(address)
        row = page.locator("tr.broken")
        row.wait_for()
        assert "review.json" in row.inner_text() and "unreadable" in row.inner_text()
        row.click()
        assert "#/study" not in page.url
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("tbody tr:not(.broken)").count() == 1
