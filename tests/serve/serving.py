"""A results folder made without a model, and a client of an application that serves it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient
from interop_hearts import analysed, long_axis_cine, stack_cine, write_study

from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.report.write import write_results
from cinema_cmr.serve.application import make_app
from cinema_cmr.serve.server_settings import Limits, ServeSettings

TOKEN = "a-token-of-this-test"
HOST = "127.0.0.1:8420"
ORIGIN = f"http://{HOST}"
STUB = (sys.executable, str(Path(__file__).with_name("stub_worker.py")))
"""A worker that copies finished results: as fast as a test needs, as killable as the true one."""


def finished_results(folder: Path, name: str = "results") -> Path:
    """Results of a phantom with a stack of six slices and a 4-chamber view, with images."""
    study = write_study(folder / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED)
    write_results(analysed(study), folder / name, images=True)
    return folder / name


def settings_of(home: Path, *results: Path, **changes: object) -> ServeSettings:
    """Settings with a known token."""
    return ServeSettings(home=home, results=results, token=TOKEN, **changes)  # type: ignore[arg-type]


@contextmanager
def client_of(
    home: Path, *results: Path, limits: Limits | None = None, command: tuple[str, ...] = STUB, bearer: bool = True
) -> Iterator[TestClient]:
    """A client of a running application."""
    app = make_app(settings_of(home, *results, limits=limits or Limits(), command=command))
    headers = {"authorization": f"Bearer {TOKEN}"} if bearer else {}
    with TestClient(app, base_url=ORIGIN, headers=headers) as client:
        yield client
