"""The viewer and the DICOM node from Python: they serve while a block runs, and wrong calls are refused."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.pipeline.servers import serve_dicom, serve_viewer, wait_until_ended


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@pytest.mark.medium
def test_the_viewer_serves_while_the_block_runs(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    port = free_port()
    with serve_viewer(port=port, home=tmp_path / "home") as server:
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())  # the token becomes a cookie
        with browser.open(server.address, timeout=20) as answer:
            assert answer.status == 200 and b"<html" in answer.read().lower()
        with (
            pytest.raises(InputError, match="choose another port"),
            serve_viewer(port=port, home=tmp_path / "other"),
        ):
            pass
        with pytest.raises(InputError, match="in use"), serve_viewer(port=free_port(), home=tmp_path / "home"):
            pass
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.address, timeout=5)
    assert server.settings.token not in repr(server)


def test_wrong_calls_of_the_viewer_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn")
    with pytest.raises(InputError):
        serve_viewer(tmp_path / "none", home=tmp_path)
    with pytest.raises(UsageError, match="port 0"):
        serve_viewer(port=0, home=tmp_path)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UsageError, match=r"cinema-cmr\[web\]"):
        serve_viewer(home=tmp_path)


@pytest.mark.medium
def test_the_node_receives_while_the_block_runs(tmp_path: Path) -> None:
    pytest.importorskip("pynetdicom")
    node = serve_dicom(port=free_port(), home=tmp_path / "home", ae_title="CMR")
    assert node.address == f"CMR@127.0.0.1:{node.settings.port}" and "home" in repr(node)
    with node as jobs:
        assert jobs.n_unfinished() == 0
        with socket.create_connection(("127.0.0.1", node.settings.port or 0), timeout=10):
            pass
    assert serve_dicom(watch=tmp_path).address is None
    with pytest.raises(UsageError, match="no DICOM address"):
        serve_dicom(to=["nowhere"])


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
def test_a_signal_that_another_thread_receives_ends_the_wait() -> None:
    """The handler runs in the main thread, which a wait without end would never wake."""

    def signal_here() -> None:
        time.sleep(0.2)  # the wait has begun
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    thread = threading.Thread(target=signal_here)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        wait_until_ended()
    thread.join()
