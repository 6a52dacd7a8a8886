"""Objects are sent to a DICOM node and to a DICOMweb service; what was not taken is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")

from dicom_nodes import archive, file_bytes, free_port, image, result_object, uids_below
from pydicom.uid import MRImageStorage

from cinema_cmr.receive.destinations import (
    AUTHORIZATION,
    DeliveryError,
    Destination,
    NodeDestination,
    UnreachableError,
    WebDestination,
    destinations_of,
)
from cinema_cmr.receive.receiver_settings import Peer, ReceiverSettings


def objects(folder: Path, n: int = 2) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(n)]
    for number, path in enumerate(paths):
        path.write_bytes(file_bytes(result_object(number)))
    return paths


def sent_to(destination: Destination, paths: list[Path]) -> list[Path]:
    """Send; the files that were taken, also where an error ends it."""
    taken: list[Path] = []
    try:
        destination.send(paths, taken.append)
    except DeliveryError as error:
        assert "expected" in str(error)
    return taken


class Service(BaseHTTPRequestHandler):
    """STOW-RS that gives the same response to every request."""

    protocol_version = "HTTP/1.1"
    status = 200
    body = b'{"00081199": {"vr": "SQ", "Value": []}}'
    authorizations: list[str | None]

    def do_POST(self) -> None:
        self.authorizations.append(self.headers.get("Authorization"))
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def service(**changes: object) -> Iterator[tuple[str, list[str | None]]]:
    """Address of a DICOMweb service, and the header Authorization of each request."""
    requests: list[str | None] = []
    handler = type("Handler", (Service,), {**changes, "authorizations": requests})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/dicom-web", requests
        finally:
            server.shutdown()


def test_a_node_takes_all_objects_over_one_association(tmp_path: Path) -> None:
    paths = objects(tmp_path)
    (tmp_path / "mr.dcm").write_bytes(file_bytes(image("a", 0)))
    paths.append(tmp_path / "mr.dcm")
    with archive() as one:
        assert sent_to(NodeDestination(Peer.parse(one.address), ae_title="CINEMA"), paths) == paths
        assert one.received == uids_below(tmp_path)


def test_a_node_that_refuses_or_is_not_there(tmp_path: Path) -> None:
    paths = objects(tmp_path)
    with archive() as one:
        one.status = 0xA700
        node = NodeDestination(Peer.parse(one.address), ae_title="CINEMA")
        assert sent_to(node, paths) == []
        with pytest.raises(DeliveryError, match="status a700"):
            node.send(paths, print)
        one.status = 0xB000
        assert sent_to(node, paths) == paths
    with archive(kinds=[MRImageStorage]) as one:
        node = NodeDestination(Peer.parse(one.address), ae_title="CINEMA")
        (tmp_path / "mr.dcm").write_bytes(file_bytes(image("a", 0)))
        assert sent_to(node, [*paths, tmp_path / "mr.dcm"]) == [tmp_path / "mr.dcm"]
        with pytest.raises(DeliveryError, match="takes no object of these kinds"):
            node.send(paths, print)
    absent = NodeDestination(Peer(ae_title="NONE", host="127.0.0.1", port=free_port()), ae_title="CINEMA")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        absent.send(paths, print)


def test_a_web_service_takes_each_object(tmp_path: Path) -> None:
    paths = objects(tmp_path)
    with service() as (address, authorizations):
        assert sent_to(WebDestination(address, authorization="Bearer secret"), paths) == paths
        assert authorizations == ["Bearer secret"] * 2
        assert sent_to(WebDestination(address), paths) == paths and authorizations[-1] is None


def test_a_web_service_that_refuses_or_is_not_there(tmp_path: Path) -> None:
    paths = objects(tmp_path)
    refused = b'{"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [272]}}]}}'
    with service(body=refused) as (address, _), pytest.raises(DeliveryError, match="reason 0110"):
        WebDestination(address).send(paths, print)
    with service(status=503) as (address, _), pytest.raises(DeliveryError, match="status 503"):
        WebDestination(address).send(paths, print)
    with pytest.raises(DeliveryError, match="cannot be reached"):
        WebDestination(f"http://127.0.0.1:{free_port()}/dicom-web").send(paths, print)


def test_destinations_come_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTHORIZATION, "Basic x")
    peer, address = Peer.parse("A@127.0.0.1:104"), "https://user:secret@pacs.example/dicom-web"
    found = destinations_of(ReceiverSettings(home=tmp_path, peers=(peer,), web_addresses=(address,)))
    assert [one.name for one in found] == ["A@127.0.0.1:104", "https://pacs.example/dicom-web"]
