"""Tools of correction in a browser: outlines that are pulled, landmarks that are dragged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import CENTRE, OPENED, free_port, latest, measured_ef, running_server, shown_ef, until

from cinema_cmr.io.views_file import read_views_file
from cinema_cmr.report.record.review import read_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

EDGE = """() => {
  const { stage, plane } = cinemaPage, codes = plane.codes(cinemaPage.frameHere());
  const main = stage.tiles.find((tile) => tile.main);
  const { at } = stage.pixelAt(main, 0, 0), box = stage.canvas.getBoundingClientRect();
  const cavity = [...codes.keys()].filter((i) => codes[i] === 3);
  const row = Math.floor(cavity[cavity.length >> 1] / plane.width);
  const last = Math.max(...cavity.filter((i) => Math.floor(i / plane.width) === row)) % plane.width;
  return [box.x + at.x + (last + 1) * at.sx, box.y + at.y + (row + 0.5) * at.sy, 5 * at.sx / plane.facts.spacing_mm[0]];
}"""
"""Place on the screen of a point of the LV's outline at its right, and the length of 5 mm."""
AREAS = """() => {
  const codes = cinemaPage.plane.codes(cinemaPage.frameHere());
  return [codes.filter((code) => code === 3).length, codes.filter((code) => code >= 2).length];
}"""
"""Pixels of the cavity, and of cavity and wall."""


def test_an_outline_is_pulled(browser: Browser, home: Path, results: Path) -> None:
    """The endocardium follows the pointer; the epicardium stays. A click pulls nothing, and undo takes it back."""
    with running_server(home, results, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr a").click()
        until(OPENED, page)
        model = shown_ef(page)
        page.keyboard.press("d")
        page.keyboard.press("p")
        x, y, step = page.evaluate(EDGE)
        before = page.evaluate(AREAS)
        for distance in (0, step, -step):
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + distance, y, steps=4)
            page.mouse.up()
            latest(page)
            cavity, heart = page.evaluate(AREAS)
            assert (heart, (cavity > before[0]) - (cavity < before[0])) == (before[1], (distance > 0) - (distance < 0))
            # The outline lies where the pointer is, to a pixel.
            assert abs(page.evaluate(EDGE)[0] - x - distance) < 0.5 * step
            if distance:
                assert shown_ef(page) == f"{measured_ef(results):.0f}"
                assert read_review(results).history[-1].what.startswith("pull, LV cavity")
                page.keyboard.press("z")
                latest(page)
        assert shown_ef(page) == model and page.evaluate(AREAS) == before and not read_review(results).slices
        box = page.locator("canvas.stage").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 20, box["y"] + 60)
        page.locator("text=Start near an outline").wait_for()
        page.close()


POINT_AT = """(name) => {
  const { stage, plane, doc } = cinemaPage, main = stage.tiles.find((tile) => tile.main);
  const { at } = stage.pixelAt(main, 0, 0), box = stage.canvas.getBoundingClientRect();
  const [u, v] = doc.points[plane.view][name][cinemaPage.frameHere()];
  return [box.x + at.x + (u + 0.5) * at.sx, box.y + at.y + (v + 0.5) * at.sy];
}"""
"""Place of a landmark on the screen."""
PLACE_NOW_AND_LATER = """async (tool) => {
  const { stage } = cinemaPage;
  const place = () => stage.pixelAt(stage.tiles.find((tile) => tile.main), 0, 0).at;
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  cinemaPage.setTool(tool);
  const now = place();
  for (let i = 0; i < 3; i++) await frame();
  return [now, place()];
}"""
"""Where the image lies right after a tool was chosen, and some frames later."""
MAPSE = "cinemaPage.numbers.values.mapse_septal_mm"


def test_a_hinge_point_is_dragged_undone_and_found_again(browser: Browser, home: Path, marked: Path) -> None:
    port = free_port()
    with running_server(home, marked, port=port) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr a").click()
        until(OPENED, page)
        model = page.evaluate(MAPSE)
        page.keyboard.press("s")
        page.keyboard.press("h")
        assert page.evaluate("cinemaPage.plane.view") == "lax_4c"
        x, y = page.evaluate(POINT_AT, "mitral_septal")
        to_x, to_y = page.evaluate(POINT_AT, "apex")
        for share in (0.05, 0.08):  # two drags at once: undo goes back one by one
            page.mouse.move(*page.evaluate(POINT_AT, "mitral_septal"))
            page.mouse.down()
            page.mouse.move(x + share * (to_x - x), y + share * (to_y - y), steps=4)
            page.mouse.up()
        latest(page)
        moved = page.evaluate(MAPSE)
        assert moved > model + 1 and page.locator(".card.long").inner_text().count("model") == 2
        (point,) = read_review(marked).points
        assert (point.name, point.frame) == ("mitral_septal", page.evaluate("cinemaPage.frameHere()"))
        page.keyboard.press("z")
        latest(page)
        assert model < page.evaluate(MAPSE) < moved
        page.keyboard.press("z")
        latest(page)
        assert page.evaluate(MAPSE) == model and not read_review(marked).points
        page.keyboard.press("y")
        latest(page)
        page.keyboard.press("r")
        latest(page)
        assert page.evaluate(MAPSE) == model and not read_review(marked).points
        page.keyboard.press("z")
        latest(page)
        kept = page.evaluate(MAPSE)
        assert kept > model
        page.close()
    with running_server(home, marked, port=port) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr a").click()
        until(OPENED, page)
        assert page.evaluate(MAPSE) == kept and page.locator(".bar .state").inner_text() == "corrected"
        page.close()


def test_the_image_lies_still_after_a_tool_was_chosen(browser: Browser, home: Path, marked: Path) -> None:
    """A bar comes and goes with a tool: a press right after it would land where the image was."""
    with running_server(home, marked, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr a").click()
        until(OPENED, page)
        for tool in ("brush", "look", "points", "look", "pull"):
            now, later = page.evaluate(PLACE_NOW_AND_LATER, tool)
            assert now == later, tool
        page.close()


def test_views_are_chosen_before_the_analysis(browser: Browser, home: Path, tmp_path: Path) -> None:
    with running_server(home, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.get_by_label("choose views").check()
        (tmp_path / "study.zip").write_bytes(b"PK")
        page.set_input_files("input[type=file] >> nth=0", tmp_path / "study.zip")
        page.get_by_role("button", name="Choose views").click()
        assert "no view was recognised" in page.locator(".views").inner_text()
        page.get_by_label("View of 5").select_option("lax_4c")
        assert page.get_by_label("Use 5").is_checked()
        page.get_by_role("button", name="Analyse", exact=True).click()
        page.locator("tbody tr a").wait_for()
        (chosen,) = home.glob("studies/*/views.json")
        ((series, choice),) = read_views_file(chosen)
        assert (series, str(choice.view), choice.use) == ("5", "lax_4c", True)
        page.close()


PAINTED = "(code) => cinemaPage.plane.codes(cinemaPage.frameHere()).filter((one) => one === code).length"
"""Pixels of a code in the slice and frame that are shown."""


def test_an_atrium_is_painted_in_a_long_axis(browser: Browser, home: Path, chambers: Path) -> None:
    """The long axis has brushes for the atria, the short axis has none, whichever was chosen before."""
    with running_server(home, chambers, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr a").click()
        until(OPENED, page)
        names = "[...document.querySelectorAll('.swatch small')].map((one) => one.textContent)"
        assert page.evaluate(names) == ["LV", "MYO", "RV"]
        page.evaluate("cinemaPage.goPlane(cinemaPage.planeOf('lax_4c', 0))")
        assert page.evaluate(names) == ["LV", "MYO", "RV", "LA", "RA"]
        page.keyboard.press("5")
        assert page.evaluate("[cinemaPage.tool, cinemaPage.structure.name]") == ["brush", "ra"]
        before = page.evaluate(PAINTED, 5)
        box = page.locator("canvas.stage").bounding_box()
        x, y = page.evaluate(CENTRE.replace("code === 3", "code === 4"))
        assert box is not None and box["x"] < x < box["x"] + box["width"] and before > 0
        page.mouse.click(x, y)
        latest(page)
        painted = page.evaluate(PAINTED, 5)
        assert painted > before
        (stored,) = read_review(chambers).slices
        assert (stored.view, stored.slice) == ("lax_4c", 0)
        assert read_review(chambers).history[-1].what.startswith("brush, RA cavity")
        page.evaluate("cinemaPage.goPlane(cinemaPage.planeOf('sax', 2))")
        assert page.evaluate(names) == ["LV", "MYO", "RV"] and page.evaluate("cinemaPage.structure.name") == "lv"
        page.keyboard.press("5")
        assert page.evaluate("cinemaPage.structure.name") == "lv"
        page.reload()
        until(OPENED, page)
        page.evaluate(f"cinemaPage.goPlane(cinemaPage.planeOf('lax_4c', 0)); cinemaPage.goFrame({stored.frame})")
        assert page.evaluate(PAINTED, 5) == painted
        page.close()
