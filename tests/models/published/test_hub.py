"""Files of the hub: fetched once, checked against its hashes, found again without network."""

from __future__ import annotations

import hashlib
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


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does: large files by a redirect that names their hash, small ones with git's hash."""

    broken = ""
    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path == f"/mathpluscode/CineMA/resolve/{REVISION}/{FILE}":
            promised = hashlib.sha256(BODY).hexdigest()
            self._answer(302, b"", {"Location": "/store", "X-Linked-ETag": f'"{promised}"'})
        elif self.path == "/store":
            body = BODY[:-1] + b"!" if self.broken == "changed" else BODY
            self._answer(200, body, {"ETag": '"another"'}, cut=self.broken == "cut")
        elif self.path.endswith(YAML):
            blob = hashlib.sha1(b"blob %d\0" % len(TEXT) + TEXT).hexdigest()
            self._answer(200, TEXT, {"ETag": f'W/"{blob}"'})
        else:
            self._answer(404, b"", {})

    def _answer(self, code: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[dict[str, str], type[Hub]]]:
    """The environment that points to a hub on this machine, and the hub."""
    handler = type("OneHub", (Hub,), {"asked": []})
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


def test_a_file_is_fetched_once_and_kept_with_its_hash(server: tuple[dict[str, str], type[Hub]]) -> None:
    environment, hub = server
    assert find(FILE, environment) is None
    path = fetch(FILE, environment)
    assert path.read_bytes() == BODY and path == cache_folder(environment) / FILE
    assert path.with_name("cinema.safetensors.sha256").read_text().strip() == hashlib.sha256(BODY).hexdigest()
    n_asked = len(hub.asked)
    assert fetch(FILE, environment) == path and len(hub.asked) == n_asked
    assert fetch(FILE, {**environment, "HF_HUB_OFFLINE": "1"}) == path
    assert fetch(YAML, environment).read_bytes() == TEXT
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "cinema.safetensors",
        "cinema.safetensors.sha256",
        "config.yaml",
        "config.yaml.sha256",
    ]


@pytest.mark.parametrize(("broken", "told"), [("changed", "the hub gives"), ("cut", "stopped|IncompleteRead")])
def test_a_bad_transfer_leaves_nothing(server: tuple[dict[str, str], type[Hub]], broken: str, told: str) -> None:
    environment, hub = server
    hub.broken = broken
    with pytest.raises(WeightsError, match=told):
        fetch(FILE, environment)
    assert find(FILE, environment) is None
    assert list((cache_folder(environment) / "pretrained").iterdir()) == []


def test_a_file_changed_in_the_cache_is_refused(server: tuple[dict[str, str], type[Hub]]) -> None:
    environment, _ = server
    path = fetch(FILE, environment)
    path.write_bytes(BODY + b"x")
    with pytest.raises(WeightsError, match="was fetched as"):
        fetch(FILE, environment)
    path.with_name("cinema.safetensors.sha256").unlink()
    with pytest.raises(WeightsError, match="copy both"):
        find(FILE, environment)


def test_what_the_hub_does_not_have_is_said(server: tuple[dict[str, str], type[Hub]]) -> None:
    with pytest.raises(WeightsError, match="answered 404"):
        fetch("finetuned/other", server[0])


def test_without_network_the_way_by_hand_is_told(tmp_path: Path) -> None:
    nowhere = {"CINEMA_CACHE": str(tmp_path), "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    with pytest.raises(WeightsError, match=r"could not be fetched .* `cinema weights pull NAME`"):
        fetch(FILE, nowhere)
    with pytest.raises(WeightsError, match=r"offline mode is on; .*CINEMA_CACHE"):
        fetch(FILE, {**nowhere, "CINEMA_OFFLINE": "yes"})
    with pytest.raises(WeightsError, match="begins with https"):
        fetch(FILE, {**nowhere, "HF_ENDPOINT": "file:///etc"})


@pytest.mark.parametrize("setting", [{"HF_HOME": "home"}, {"HF_HUB_CACHE": "home/hub"}])
def test_the_cache_of_hugging_face_is_used(tmp_path: Path, setting: dict[str, str]) -> None:
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


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_offline_modes(value: str, offline: bool) -> None:
    assert is_offline({"CINEMA_OFFLINE": value}) == is_offline({"HF_HUB_OFFLINE": value}) == offline


def test_the_cache_has_a_place_by_default() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "xdg"}).parts[:3] == ("xdg", "cinema-cmr", "mathpluscode--CineMA")
    assert cache_folder({}).name == REVISION
