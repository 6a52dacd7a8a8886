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

from cinema_cmr.serve.application import make_app
from cinema_cmr.serve.server_settings import ServeSettings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WAIT_S = 60.0


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
