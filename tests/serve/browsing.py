"""A server in a thread, and a page of headless Chromium on it."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
import uvicorn
from serving import STUB

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import read_nifti_cine
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.measure.measure import MeasureOptions, measure_masks
from cinema_cmr.report.record.review import read_review
from cinema_cmr.serve.application import make_app
from cinema_cmr.serve.server_settings import ServeSettings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WAIT_S = 60.0


OPENED = "globalThis.cinemaPage?.stats.opened > 0"
CENTRE = """() => {
  const { stage, plane } = cinemaPage, codes = plane.codes(cinemaPage.frame);
  const main = stage.tiles.find((tile) => tile.main);
  const { at } = stage.pixelAt(main, 0, 0), box = stage.canvas.getBoundingClientRect();
  let n = 0, u = 0, v = 0;
  codes.forEach((code, i) => { if (code === 3) { n += 1; u += i % plane.width; v += Math.floor(i / plane.width); } });
  return [box.x + at.x + (u / n + 0.5) * at.sx, box.y + at.y + (v / n + 0.5) * at.sy];
}"""
"""Place of the LV's centre on the screen."""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def running_server(home: Path, *results: Path, port: int) -> Iterator[str]:
    """The printed address of a server that runs in a thread, with the stub as its worker."""
    settings = ServeSettings(home=home, results=results, port=port, command=STUB)
    config = uvicorn.Config(
        make_app(settings),
        host="127.0.0.1",
        port=port,
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}/?token={settings.token}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless Chromium of this machine; skips the test without one."""
    api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def until(condition: object, page: Page | None = None) -> None:
    """Wait for a condition: a function here, or an expression in the page."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if page.evaluate(condition) if page is not None else condition():  # type: ignore[operator, arg-type]
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {WAIT_S} s: {condition}")


def measured_ef(results: Path, es_frame: int | None = None) -> float:
    """EF of the model's masks with the stored review, by the function of the command line."""
    cine, _ = read_nifti_cine(results / "images/sax.nii.gz", view=View.SAX)
    own = read_label_codes(results / "segmentation/original/sax.nii.gz", cine.shape, codes={1: 1, 2: 2, 3: 3})
    labels = LabelMap(array=read_review(results).apply(View.SAX, own, n_codes=4))
    value = measure_masks(cine, labels, options=MeasureOptions(es_frame=es_frame)).value("lv_ef_percent")
    assert value is not None
    return value


def shown_ef(page: Page) -> str:
    return page.locator("[data-value=lv_ef_percent]").inner_text()


def latest(page: Page) -> None:
    """Wait until every change is stored and measured."""
    page.evaluate("cinemaPage.corrections.sending")


def erase_middle(page: Page) -> None:
    """Erase a part of the LV in the middle slice at end-diastole."""
    page.keyboard.press("d")
    page.keyboard.press("e")
    x, y = page.evaluate(CENTRE)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=5)
    page.mouse.up()
    latest(page)
