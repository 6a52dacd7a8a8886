"""Files of the hub: fetched once from a server on this machine, checked against its hashes, found without network."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.models.published.hub import cache_folder, fetch, find, is_offline
from cinema_cmr.models.published.registry import REVISION

FILE = "pretrained/cinema.safetensors"
YAML = "pretrained/config.yaml"
BODY = b"weights" * 1000
TEXT = b"model: {}\n"
Server = tuple[dict[str, str], Any]


class Hub(BaseHTTPRequestHandler):
    """The hub's answers: large files by a redirect that names their SHA-256, small ones with git's hash."""

    changed = False
    requests: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        type(self).requests.append(f"{self.command} {self.path}")
        revision = {"X-Repo-Commit": REVISION}
        if self.path == f"/mathpluscode/CineMA/resolve/{REVISION}/{FILE}":
            linked = {"X-Linked-ETag": f'"{hashlib.sha256(BODY).hexdigest()}"', "X-Linked-Size": str(len(BODY))}
            store = f"http://localhost:{self.server.server_address[1]}/store"  # another host than the hub's
            self._send(302, b"", {"Location": store, **revision, **linked})
        elif self.path == "/store":
            self._send(200, BODY[:-1] + b"!" if self.changed else BODY, {"ETag": '"another"'})
        elif self.path.endswith(YAML):
            blob = hashlib.sha1(b"blob %d\0" % len(TEXT) + TEXT).hexdigest()
            self._send(200, TEXT, {"ETag": f'W/"{blob}"', **revision})
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", **revision})

    def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An environment that points to a hub on this machine, and the hub."""
    handler = type("OneHub", (Hub,), {"requests": []})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    environment = {
        "HF_ENDPOINT": f"http://127.0.0.1:{http.server_address[1]}",
        "CINEMA_CACHE": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "none"),
    }
    yield environment, handler
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.mark.medium
def test_a_file_is_fetched_once(server: Server) -> None:
    environment, hub = server
    assert find(FILE, environment) is None
    path = fetch(FILE, environment)
    assert path.read_bytes() == BODY and path.is_relative_to(cache_folder(environment))
    assert path.resolve().name == hashlib.sha256(BODY).hexdigest()
    n_requests = len(hub.requests)
    assert fetch(FILE, environment) == path and len(hub.requests) == n_requests
    assert fetch(FILE, {**environment, "HF_HUB_OFFLINE": "1"}) == path
    assert fetch(YAML, environment).read_bytes() == TEXT


@pytest.mark.medium
def test_a_changed_transfer_is_refused_and_removed(server: Server) -> None:
    environment, hub = server
    hub.changed = True
    with pytest.raises(WeightsError, match=r"has the hash .*; expected"):
        fetch(FILE, environment)
    assert find(FILE, environment) is None
    hub.changed = False
    assert fetch(FILE, environment).read_bytes() == BODY


def test_a_file_changed_in_the_cache_is_refused(server: Server) -> None:
    environment, _ = server
    fetch(FILE, environment).resolve().write_bytes(BODY + b"x")
    with pytest.raises(WeightsError, match=r"has the hash .*; expected .*: delete it and fetch it again"):
        fetch(FILE, environment)


def test_a_file_that_the_hub_lacks_is_named(server: Server) -> None:
    with pytest.raises(WeightsError, match=r"'finetuned/other' could not be fetched \(404"):
        fetch("finetuned/other", server[0])


def test_errors_without_network_name_the_way_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    nowhere = {"CINEMA_CACHE": str(tmp_path), "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    with pytest.raises(WeightsError, match=r"could not be fetched .* `cinema weights pull NAME`"):
        fetch(FILE, nowhere)
    with pytest.raises(WeightsError, match=r"offline mode is on; .*CINEMA_CACHE"):
        fetch(FILE, {**nowhere, "CINEMA_OFFLINE": "yes"})
    with pytest.raises(WeightsError, match="begins with https"):
        fetch(FILE, {**nowhere, "HF_ENDPOINT": "file:///etc"})


def test_a_missing_extra_is_named_with_its_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match=r"pip install 'cinema-cmr\[hub\]'.* CINEMA_CACHE"):
        fetch(FILE, {"CINEMA_CACHE": str(tmp_path), "HF_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    "setting", [{"HF_HOME": "home"}, {"HF_HUB_CACHE": "home/hub"}, {"CINEMA_CACHE": "home/hub", "HF_HOME": "none"}]
)
def test_files_in_the_layout_of_hugging_face_are_found(tmp_path: Path, setting: dict[str, str]) -> None:
    repository = tmp_path / "home" / "hub" / "models--mathpluscode--CineMA"
    blob = repository / "blobs" / hashlib.sha256(BODY).hexdigest()
    snapshot = repository / "snapshots" / REVISION / "pretrained"
    for folder in (blob.parent, snapshot):
        folder.mkdir(parents=True)
    blob.write_bytes(BODY)
    (snapshot / "cinema.safetensors").symlink_to(blob)
    environment = {"CINEMA_CACHE": str(tmp_path / "own"), **{k: str(tmp_path / v) for k, v in setting.items()}}
    assert find(FILE, environment) == snapshot / "cinema.safetensors"
    blob.write_bytes(BODY[1:])
    with pytest.raises(WeightsError, match="fetch it again"):
        find(FILE, environment)


def test_files_copied_by_hand_into_the_cache_are_found_and_checked(tmp_path: Path) -> None:
    environment = {"CINEMA_CACHE": str(tmp_path), "HF_HOME": str(tmp_path / "none"), "CINEMA_OFFLINE": "1"}
    path = tmp_path / "mathpluscode--CineMA" / REVISION / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    with pytest.raises(WeightsError, match="copy both"):
        find(FILE, environment)
    path.with_name(f"{path.name}.sha256").write_text(hashlib.sha256(BODY).hexdigest() + "\n")
    assert fetch(FILE, environment) == path
    path.write_bytes(BODY + b"x")
    with pytest.raises(WeightsError, match="has the hash"):
        fetch(FILE, environment)


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_offline_modes(value: str, offline: bool) -> None:
    assert is_offline({"CINEMA_OFFLINE": value}) == is_offline({"HF_HUB_OFFLINE": value}) == offline


def test_the_default_cache_folder() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "xdg"}) == Path("xdg", "cinema-cmr")
    assert cache_folder({}).parts[-2:] == (".cache", "cinema-cmr")
