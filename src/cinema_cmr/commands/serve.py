"""`cinema serve`: the local web application."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import UsageError

__all__ = ["add_arguments", "run"]

_HOME = "~/cinema-studies"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the results, the port and the folder of new studies."""
    parser.add_argument("results", nargs="*", metavar="RESULTS", help="results of `cinema analyse`, or folders of them")
    parser.add_argument("--port", type=int, default=8420, help="port on this computer (default: 8420)")
    parser.add_argument("--home", default=_HOME, metavar="FOLDER", help=f"folder for new studies (default: {_HOME})")
    parser.add_argument("--json", action="store_true", help="print the address as one JSON document")


def run(given: Namespace) -> int:
    """Serve on the loopback address until the program is ended; print the address with its token."""
    try:
        import uvicorn

        from cinema_cmr.serve.application import make_app
        from cinema_cmr.serve.library import check_folders
        from cinema_cmr.serve.server_settings import ServeSettings
    except ImportError as error:
        raise UsageError(
            f"the package '{error.name}' is not installed; expected the extra web: pip install 'cinema-cmr[web]'"
        ) from error
    from cinema_cmr.files.lock import folder_lock

    results = tuple(Path(folder) for folder in given.results)
    check_folders(results)
    settings = ServeSettings(home=Path(given.home).expanduser(), results=results, port=given.port)
    with folder_lock(settings.home):
        address = f"http://127.0.0.1:{settings.port}/?token={settings.token}"
        text = f"CineMA on this computer alone: {address}\n  open it in a browser; end with Ctrl-C"
        Console(as_json=given.json).result(text, {"address": address})
        uvicorn.run(
            make_app(settings),
            host="127.0.0.1",
            port=settings.port,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=3,
        )
    return 0
