"""`cinema serve`: the local web application."""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console

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
    from cinema_cmr.pipeline.servers import serve_viewer

    def show(address: str) -> None:
        text = f"CineMA on this computer alone: {address}\n  open it in a browser; end with Ctrl-C"
        Console(as_json=given.json).result(text, {"address": address})

    serve_viewer(given.results, port=given.port, home=given.home).run(started=show)
    return 0
