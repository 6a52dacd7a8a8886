"""OHIF beside Orthanc: a phantom study and its results, received and sent by `cinema serve-dicom`, as OHIF shows them.

    npm pack @ohif/app && tar xzf ohif-app-*.tgz
    python benchmarks/ohif_picture.py package/dist -o docs/pictures/ohif.png [--frame 125] [--shape enhanced]

Needs Orthanc with its DICOMweb plug-in, Chromium and playwright. The bundle and Orthanc's DICOMweb are served from one
origin on the loopback address. The segmentation of end diastole is opened from the list of series, and the picture
is taken at the given image of the stack, counted from 0: slice by slice, 25 frames each.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from dicom_receiver import receiving, until
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from pydicom import dcmread

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.phantom.cohort import CohortConfig, write_cohort

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "receive"))
from orthanc_node import Orthanc, orthanc

WIDTH, HEIGHT = 1120, 680
SEGMENTATION = "short axis LV ED"
SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "orthanc",
    "configuration": {
        "friendlyName": "Orthanc",
        "name": "orthanc",
        **dict.fromkeys(("wadoUriRoot", "qidoRoot", "wadoRoot"), "/dicom-web"),
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "bulkDataURI": {"enabled": True},
        "omitQuotationForMultipartRequest": True,
    },
}
CONFIG = {
    "routerBasename": "/",
    **{"extensions": [], "modes": [], "customizationService": {}, "showStudyList": True},
    "disableConfirmationPrompts": True,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "orthanc",
    "dataSources": [SOURCE],
}
GRAPHICS = ("--no-sandbox", "--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader")
GO_TO = """index => { const { viewportGridService, cornerstoneViewportService } = window.services;
 const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getState().activeViewportId);
 return viewport.setImageIdIndex(index).then(() => viewport.render()); }"""


class Bundle(BaseHTTPRequestHandler):
    """The files of OHIF, its configuration, and Orthanc's DICOMweb."""

    protocol_version = "HTTP/1.1"
    folder: Path
    archive: Orthanc

    def do_GET(self) -> None:
        """Respond with a file, or with what Orthanc responds."""
        path = self.path.split("?")[0]
        if path.startswith("/dicom-web"):
            status, kind, body = self.forwarded()
        elif path == "/app-config.js":
            status, kind, body = 200, "text/javascript", f"window.config = {json.dumps(CONFIG)}".encode()
        else:
            file = self.folder / path.lstrip("/")
            file = file if file.is_file() else self.folder / "index.html"
            status, kind, body = 200, mimetypes.guess_type(file.name)[0] or "text/html", file.read_bytes()
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def forwarded(self) -> tuple[int, str, bytes]:
        """Status, type and body of Orthanc's response."""
        headers = {name: self.headers[name] for name in ("Accept", "Host") if name in self.headers}
        root = self.archive.web.removesuffix("/dicom-web")
        try:
            with urllib.request.urlopen(urllib.request.Request(root + self.path, headers=headers)) as response:
                return response.status, response.headers.get("Content-Type", ""), response.read()
        except urllib.error.HTTPError as error:
            return error.code, "text/plain", error.read()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def served(folder: Path, archive: Orthanc) -> Iterator[str]:
    """Address of OHIF."""
    mimetypes.add_type("application/wasm", ".wasm")
    handler = type("Handler", (Bundle,), {"folder": folder, "archive": archive})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--frame", type=int, default=125)
    parser.add_argument("--shape", choices=list(DicomShape), default=DicomShape.ENHANCED)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, orthanc(Path(folder) / "orthanc") as archive:
        study = analysed_study(Path(folder), archive, DicomShape(given.shape))
        with served(given.bundle, archive) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(GRAPHICS))
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(f"{address}/viewer?StudyInstanceUIDs={study}", wait_until="domcontentloaded")
            show_segmentation(page, given.frame)
            page.screenshot(path=given.output)
            browser.close()
    with Image.open(given.output) as picture:
        picture.convert("RGB").save(given.output, optimize=True)


def analysed_study(folder: Path, archive: Orthanc, shape: DicomShape) -> str:
    """Send a phantom study round; the identifier of the study, whose results are in the archive."""
    views = (View.SAX, View.LAX_4C)
    write_cohort(folder / "phantom", CohortConfig(n=1, views=views, format="dicom", dicom_shape=shape))
    with receiving(folder / "home", archive, "--to", archive.address) as receiver:
        archive.send_to_cinema(archive.import_study(next(folder.glob("phantom/*/images"))))
        until(lambda: any(map(receiver.is_sent, receiver.jobs())))
    first = next(folder.glob("home/received/*/input/*"))
    return str(dcmread(first, stop_before_pixels=True).StudyInstanceUID)


def show_segmentation(page: Page, frame: int) -> None:
    """Close the tour, open the panel of segmentations and the segmentation, and go to the image."""
    page.get_by_text("Skip all").click(timeout=120_000)
    page.mouse.click(WIDTH - 18, 100)
    page.get_by_text(SEGMENTATION).first.dblclick()
    page.get_by_text("LV myocardium").wait_for(timeout=120_000)
    time.sleep(5)
    page.evaluate(GO_TO, frame)
    time.sleep(5)


if __name__ == "__main__":
    main()
