"""Orthanc with its DICOMweb plug-in, on loopback ports and in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicom_nodes import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_START_S = 60


def is_installed() -> bool:
    """Whether there is an Orthanc with DICOMweb."""
    return shutil.which("Orthanc") is not None and PLUGIN.exists()


@dataclass(frozen=True, kw_only=True)
class Orthanc:
    """A running archive that has `CINEMA` at a port as its modality `cinema`."""

    dicom_port: int
    http_port: int
    cinema_port: int

    @property
    def address(self) -> str:
        """AE@HOST:PORT."""
        return f"ORTHANC@127.0.0.1:{self.dicom_port}"

    @property
    def web(self) -> str:
        """URL of its DICOMweb service."""
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def call(self, path: str, body: bytes | None = None) -> object:
        """JSON of its REST interface; a POST with a body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data=body)
        with urllib.request.urlopen(request, timeout=300) as response:
            return json.load(response)

    def import_study(self, folder: Path) -> str:
        """Store the DICOM files of a folder; the identifier of their study."""
        found = set()
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            response = self.call("/instances", path.read_bytes())
            assert isinstance(response, dict)
            found.add(str(response["ParentStudy"]))
        (study,) = found
        return study

    def send_to_cinema(self, study: str) -> None:
        """Send a study by C-STORE, as an archive routes it."""
        self.call("/modalities/cinema/store", study.encode())


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    """An archive that runs in the block, its files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    node = Orthanc(dicom_port=free_port(), http_port=free_port(), cinema_port=free_port())
    settings = {
        "Name": "archive",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": "ORTHANC",
        "DicomPort": node.dicom_port,
        "HttpPort": node.http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomModalities": {"cinema": ["CINEMA", "127.0.0.1", node.cinema_port]},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log)
        try:
            _wait(node, process)
            yield node
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(node: Orthanc, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            node.call("/system")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Orthanc did not start; see orthanc.log")
