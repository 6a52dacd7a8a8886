"""`cinema serve-dicom`: receive studies from scanners and archives, and send the results back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console, set_log_format

if TYPE_CHECKING:
    from cinema_cmr.pipeline.servers import DicomServer

__all__ = ["add_arguments", "run"]

_HOME, _PORT = "~/cinema-receiver", 11112


def add_arguments(parser: ArgumentParser) -> None:
    """Add what is listened to, where results go, and the limits."""
    sources = parser.add_argument_group("input")
    sources.add_argument("--port", type=int, help=f"port (default: {_PORT}; with --watch none)")
    sources.add_argument("--ae", default="CINEMA", metavar="TITLE", help="own AE title; associations must call it")
    sources.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; beyond 127.0.0.1 name --calling too"
    )
    sources.add_argument("--calling", action="append", metavar="TITLE", help="a calling AE title to accept (several)")
    sources.add_argument("--watch", metavar="FOLDER", help="folder that studies are dropped into")
    output = parser.add_argument_group("output")
    output.add_argument("--to", action="append", metavar="AE@HOST:PORT", help="send the results by C-STORE (several)")
    output.add_argument("--to-web", action="append", metavar="URL", help="send the results by STOW-RS (several)")
    output.add_argument("--home", default=_HOME, metavar="FOLDER", help="queue, images and results")
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--quiet", type=float, default=30.0, metavar="S", help="seconds without an image until a study is complete"
    )
    limits.add_argument("--max-associations", type=int, default=10, metavar="N", help="most associations at a time")
    limits.add_argument("--max-study", type=float, default=8.0, metavar="GB", help="largest study, in GB")
    parser.add_argument("--json", action="store_true", help="print the address as one JSON document")


def run(given: Namespace) -> int:
    """Receive until the program is ended; its log is JSON lines on stderr."""
    from cinema_cmr.pipeline.servers import wait_until_ended

    server = _server(given)
    set_log_format("json")
    with server:
        watched = f"folder {given.watch}" if given.watch else None
        text = " and ".join(filter(None, [server.address, watched]))
        Console(as_json=given.json).result(f"CineMA receives at {text}; end with Ctrl-C", {"address": server.address})
        wait_until_ended()
    return 0


def _server(given: Namespace) -> DicomServer:
    from cinema_cmr.pipeline.servers import serve_dicom

    return serve_dicom(
        port=given.port,
        watch=given.watch or None,
        ae_title=given.ae,
        host=given.host,
        calling=given.calling or (),
        to=given.to or (),
        to_web=given.to_web or (),
        home=given.home,
        quiet_s=given.quiet,
        associations=given.max_associations,
        max_study_gb=given.max_study,
    )
