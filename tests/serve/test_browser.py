"""The whole way in a browser: send, open, play, correct, undo, move ES, sign off, restart, export; on a phone too."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import OPENED, erase_middle, free_port, latest, measured_ef, running_server, shown_ef, until

from cinema_cmr.report.record.review import read_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def brush(page: Page, key: str) -> set[int]:
    """Paint a dot in the middle slice with the structure of a key; return the codes that this has written."""
    codes = "Array.from(cinemaPage.plane.codes(cinemaPage.frameHere()))"
    before = page.evaluate(codes)
    page.keyboard.press(key)
    box = page.locator("canvas.stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    page.mouse.down()
    page.mouse.up()
    latest(page)
    return {new for old, new in zip(before, page.evaluate(codes), strict=True) if new != old}


def send_demo(page: Page, address: str, folder: Path) -> None:
    """Send a zip to an empty server, and open the finished study."""
    page.goto(address)
    page.locator("text=No studies yet").wait_for()
    (folder / "demo_study.zip").write_bytes(b"PK")
    page.set_input_files("input[type=file] >> nth=0", folder / "demo_study.zip")
    page.locator("tbody tr").wait_for()
    page.locator("tbody tr").click()
    until(OPENED, page)


def play(page: Page) -> None:
    """Play some frames."""
    count = page.evaluate("cinemaPage.stage.count")
    page.keyboard.press(" ")
    until(f"cinemaPage.stage.count > {count + 5}", page)
    page.keyboard.press(" ")


def correct_and_undo(page: Page, results: Path, model: str) -> None:
    """Erase, undo and redo; EF is that of the measured masks each time."""
    erase_middle(page)
    assert shown_ef(page) == f"{measured_ef(results):.0f}" != model
    assert page.locator(".bar .state").inner_text() == "corrected"
    page.keyboard.press("z")
    latest(page)
    assert shown_ef(page) == model and not read_review(results).slices
    page.keyboard.press("y")
    latest(page)


def move_es(page: Page, results: Path) -> int:
    """Make the frame after ES the ES frame."""
    for key in ("v", "s", "ArrowRight", "Shift+S"):
        page.keyboard.press(key)
    latest(page)
    es = read_review(results).es_frame
    assert es is not None and shown_ef(page) == f"{measured_ef(results, es):.0f}"
    return es


def test_the_whole_way_of_a_study(browser: Browser, home: Path, tmp_path: Path) -> None:
    port = free_port()
    errors: list[str] = []
    with running_server(home, port=port) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: errors.append(str(error)))
        send_demo(page, address, tmp_path)
        (results,) = home.glob("studies/*/results")
        model = shown_ef(page)
        assert model == f"{measured_ef(results):.0f}"
        play(page)
        correct_and_undo(page, results, model)
        es = move_es(page, results)
        corrected = shown_ef(page)
        page.get_by_role("button", name="Sign off", exact=True).click()
        page.locator(".bar .state >> text=signed off").wait_for(timeout=60_000)
        page.close()
    with running_server(home, port=port) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        row = page.locator("tbody tr")
        row.wait_for()
        assert "signed off" in row.inner_text() and corrected in row.inner_text()
        page.locator("text=Labelled cases").click()
        page.locator("text=1 case with 1 labelled frame").wait_for()
        row.click()
        until(OPENED, page)
        assert shown_ef(page) == corrected
        page.close()
    summary = json.loads((results / "measurements.json").read_text())["summary"]
    assert (f"{summary['lv_ef_percent']:.0f}", summary["es_frame"]) == (corrected, es)
    assert errors == []


def test_frames_of_the_page_are_those_of_the_stack(browser: Browser, home: Path, uneven: Path) -> None:
    """The 4-chamber view has twelve frames, the stack eight: ES moves to the frame of the stack that is shown."""
    with running_server(home, uneven, port=free_port()) as address:
        page = browser.new_page()
        page.goto(address)
        page.locator("tbody tr").click()
        until(OPENED, page)
        assert page.evaluate("[cinemaPage.total, cinemaPage.planeOf('lax_4c', 0).frames]") == [8, 12]
        page.evaluate("cinemaPage.goPlane(cinemaPage.planeOf('lax_4c', 0))")
        page.evaluate("cinemaPage.goFrame(6)")
        assert page.evaluate("cinemaPage.frameHere()") == 9
        page.keyboard.press("Shift+S")
        latest(page)
        assert read_review(uneven).es_frame == 6
        page.evaluate("cinemaPage.goTo(cinemaPage.plane, 2)")
        assert page.evaluate("[cinemaPage.frame, cinemaPage.frameHere()]") == [1, 2]
        page.evaluate("cinemaPage.goFrame(0)")
        page.keyboard.press("c")  # frame 1 of the view is never shown
        latest(page)
        assert page.evaluate("[cinemaPage.frame, cinemaPage.frameHere()]") == [1, 2]
        assert [one.frame for one in read_review(uneven).slices] == [2]


def test_two_studies_and_model_and_reader_are_compared(
    browser: Browser, home: Path, results: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(results, tmp_path / "other"))
    with running_server(home, results, other, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        compare = page.get_by_role("button", name="Compare", exact=True)
        boxes = page.locator("tbody input[type=checkbox]")
        boxes.first.check()
        assert compare.is_disabled() and page.url.endswith("/")  # a box does not open the study
        boxes.nth(1).check()
        assert page.locator(".choice b").all_inner_texts() == ["A", "B"]
        with page.context.expect_page() as opened:
            compare.click()
        opened.value.wait_for_url("**/api/comparisons/*")
        assert opened.value.locator("h1").inner_text() == "A and B"
        page.locator("tbody tr a").first.click()
        until(OPENED, page)
        compare.click()
        page.locator("text=Nothing is corrected").wait_for()
        erase_middle(page)
        with page.context.expect_page() as opened:
            compare.click()
        opened.value.wait_for_url("**/api/comparisons/*")
        assert opened.value.locator("h1").inner_text() == "model and reader"
        page.close()


LABELS = "Array.from(cinemaPage.plane.codes(cinemaPage.frameHere()))"


def test_what_is_signed_off_is_what_the_page_shows(browser: Browser, home: Path, results: Path) -> None:
    """A stroke that the server did not store vanishes from the page with all undo, and stops a sign-off."""
    with running_server(home, results, port=free_port()) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("tbody tr").click()
        until(OPENED, page)
        erase_middle(page)
        stored = page.evaluate(LABELS)
        page.keyboard.press("b")
        page.route("**/changes", lambda route: route.fulfill(status=507, json={"detail": "the disk is full"}))
        page.evaluate(
            """() => {  // two strokes and a sign-off at once
              const { corrections, plane } = cinemaPage, size = plane.width * plane.height;
              for (const code of [1, 3]) {
                corrections.apply("test", [{ plane, frame: 0, after: new Uint8Array(size).fill(code) }]);
              }
              cinemaPage.signOff(true);
            }"""
        )
        page.locator("text=Not stored: the disk is full").wait_for()
        page.locator("text=A change was not stored").wait_for()
        assert page.evaluate(LABELS) == stored and page.evaluate("cinemaPage.corrections.done.length") == 0
        assert not read_review(results).signed_off and len(read_review(results).slices) == 1
        page.route("**/labels/**", lambda route: route.abort())  # the server is gone: nothing can be drawn or signed
        assert brush(page, "3") and page.evaluate("cinemaPage.corrections.stale")
        assert not brush(page, "2")
        page.get_by_role("button", name="Sign off", exact=True).click()
        page.wait_for_timeout(300)
        assert not read_review(results).signed_off
        page.unroute("**/labels/**")
        page.unroute("**/changes")
        page.evaluate("cinemaPage.corrections.recover()")
        assert page.evaluate(LABELS) == stored
        page.get_by_role("button", name="Sign off", exact=True).click()
        page.locator(".bar .state >> text=signed off").wait_for(timeout=60_000)
        page.close()


BETWEEN = """async () => {
  const { between } = await import("/static/correct.js");
  const { plane } = cinemaPage, codes = plane.codes(0);
  return [...new Set(between(codes, codes, 0.5, plane))].sort();
}"""
"""Codes of the shape between a slice and itself."""


def test_the_brush_writes_the_structure_of_the_study_s_scheme(
    browser: Browser, home: Path, results: Path, late: Path
) -> None:
    """Keys and buttons of a late-enhancement study write its codes: 1 cavity, 2 wall, 3 infarct, 4 no-reflow."""
    written = {results: {"2": {2}, "1": {3}, "3": {1}}, late: {"2": {2}, "3": {3}, "4": {4}, "1": {1}}}
    for folder, codes in written.items():
        with running_server(home, folder, port=free_port()) as address:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.locator("tbody tr").click()
            until(OPENED, page)
            assert page.evaluate(BETWEEN) == list(range(len(codes) + 1))
            titles = page.locator(".swatch").evaluate_all("all => all.map((one) => one.title)")
            assert [title[-2] for title in titles] == sorted(codes)
            page.keyboard.press("b")
            assert {key: brush(page, key) for key in codes} == codes
            page.close()


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Browser, home: Path, results: Path) -> None:
    with running_server(home, results, port=free_port()) as address:
        context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        page = context.new_page()
        page.goto(address)
        page.locator("tbody tr").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator("tbody tr").tap()
        until(OPENED, page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("[data-value=lv_ef_percent]").is_visible()
        page.locator("[aria-label^=Play]").tap()
        until("cinemaPage.playing && cinemaPage.stage.count > 10", page)
        context.close()


def test_text_of_a_study_is_text(browser: Browser, home: Path, results: Path) -> None:
    path = results / "measurements.json"
    record = json.loads(path.read_text())
    attack = "<img src=x onerror='globalThis.broken=1'><script>globalThis.broken=1</script>"
    record["study"]["name"] = record["model"]["name"] = attack
    for flag in record["flags"]:
        flag["message"] = flag["code"] = attack
    path.write_text(json.dumps(record))
    with running_server(home, results, port=free_port()) as address:
        page = browser.new_page()
        page.goto(address)
        page.locator("tbody tr").wait_for()
        assert attack in page.locator("tbody tr").inner_text()
        page.locator("tbody tr").click()
        until(OPENED, page)
        assert page.locator("h1").inner_text() == attack
        assert page.evaluate("globalThis.broken") is None
        page.close()


def test_two_windows_lose_no_stroke_of_the_other(browser: Browser, home: Path, results: Path) -> None:
    with running_server(home, results, port=free_port()) as address:
        context = browser.new_context()
        pages = [context.new_page() for _ in range(2)]
        for page in pages:
            page.goto(address)
            page.locator("tbody tr").click()
            until(OPENED, page)
            page.evaluate("cinemaPage.follow = async () => {}")  # as while the window is not looked at
        erase_middle(pages[0])
        (first,) = read_review(results).slices
        erase_middle(pages[1])
        assert "changed in another window" in pages[1].locator(".toast").last.inner_text()
        assert read_review(results).slices == (first,)
        until("cinemaPage.corrected.size === 1", pages[1])
        assert shown_ef(pages[1]) == shown_ef(pages[0]) == f"{measured_ef(results):.0f}"
        pages[1].keyboard.press("r")  # from here on it changes what it shows
        until(lambda: not read_review(results).slices)
        pages[0].evaluate("delete cinemaPage.follow")
        pages[0].evaluate("dispatchEvent(new Event('focus'))")
        until("cinemaPage.corrected.size === 0", pages[0])
        assert shown_ef(pages[0]) == shown_ef(pages[1]) == f"{measured_ef(results):.0f}"


def test_results_on_a_read_only_disk_can_be_looked_at(
    browser: Browser, home: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object, folder: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(folder / "review.json"))

    monkeypatch.setattr("cinema_cmr.serve.opened_study.write_review", refuse)
    with running_server(home, results, port=free_port()) as address:
        page = browser.new_page()
        page.goto(address)
        page.locator("tbody tr").click()
        until(OPENED, page)
        page.locator("text=Nothing can be stored: 'review.json': Read-only file system").wait_for()
        model = shown_ef(page)
        erase_middle(page)
        until("cinemaPage.corrections.losses === 1 && !cinemaPage.corrections.stale", page)
        assert shown_ef(page) == model and page.locator(".bar .state").inner_text() == "new"
