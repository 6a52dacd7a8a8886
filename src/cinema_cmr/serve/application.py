"""The web application: routes, static files, errors, and the guard before all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from threading import Thread

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from cinema_cmr.core.errors import (
    CinemaError,
    InputError,
    InternalError,
    MissingFileError,
    OutputExistsError,
    UnknownNameError,
    as_cinema_error,
)
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.serve.collection.comparisons_api import comparisons_router
from cinema_cmr.serve.guard import Guard
from cinema_cmr.serve.jobs import JobStore, TooLargeError
from cinema_cmr.serve.jobs_api import jobs_router
from cinema_cmr.serve.library import Library
from cinema_cmr.serve.queue import Queue
from cinema_cmr.serve.server_settings import ServeSettings
from cinema_cmr.serve.studies_api import studies_router
from cinema_cmr.serve.study_store import ChangedElsewhereError, StudyStore

__all__ = ["make_app"]

STATIC = Path(__file__).parent / "static"

_STATUS: tuple[tuple[type[CinemaError], int], ...] = (
    (TooLargeError, 413),
    (UnknownNameError, 404),
    (MissingFileError, 404),
    (OutputExistsError, 409),
    (ChangedElsewhereError, 409),
    (InternalError, 500),
)
"""Error -> status of the answer; all other errors of the package are 422."""


def make_app(settings: ServeSettings) -> FastAPI:
    """Return the application; its queue runs as long as it does."""
    jobs = JobStore(settings.home / "studies", settings.limits)
    queue = Queue(jobs, settings.command)
    store = StudyStore(Library((*settings.results, jobs.home)))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        queue.start()
        Thread(target=_warm_up, daemon=True).start()
        try:
            yield
        finally:
            queue.stop()

    app = FastAPI(
        title="CineMA",
        description=f"Cine cardiac MRI: submit studies, follow them, read and correct their results. {NOTICE}",
        version=version("cinema-cmr"),
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    _add_errors(app)
    app.include_router(jobs_router(jobs, queue))
    app.include_router(studies_router(store, settings))
    app.include_router(comparisons_router(store))

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Guard, settings=settings)
    return app


def _warm_up() -> None:
    """Import what the first opened study needs, which takes seconds."""
    for name in ("PIL.Image", "scipy.ndimage", "scipy.spatial.distance"):
        import_module(name)


def _add_errors(app: FastAPI) -> None:
    """Answer every error in the form {"detail": text}; nothing of a file's content or path stands in it."""

    @app.exception_handler(CinemaError)
    def of_package(_: Request, error: CinemaError) -> JSONResponse:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 422)
        return JSONResponse({"detail": str(error)}, status_code=status)

    @app.exception_handler(RequestValidationError)
    def of_request(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3]]
        return JSONResponse({"detail": "; ".join(found)}, status_code=422)

    @app.exception_handler(OSError)
    def of_system(_: Request, error: OSError) -> JSONResponse:
        reported = as_cinema_error(error)
        return JSONResponse({"detail": str(reported)}, status_code=507 if isinstance(reported, InputError) else 500)
