"""The local web application and the DICOM receiver, in this process: until they are ended, or for a block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, TypedDict

from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.files.lock import folder_lock
from cinema_cmr.receive.receiver_settings import Peer, ReceiverSettings
from cinema_cmr.serve.library import check_folders
from cinema_cmr.serve.server_settings import Limits, ServeSettings

if TYPE_CHECKING:
    from cinema_cmr.serve.jobs import JobStore

__all__ = ["DicomServer", "ViewerServer", "serve_dicom", "serve_viewer", "wait_until_ended"]

_VIEWER_HOME, _RECEIVER_HOME = "~/cinema-studies", "~/cinema-receiver"
_DICOM_PORT = 11112
_START_S = 20.0
"""Time in which a server in a thread listens, or has failed."""


class _Listening(TypedDict):
    """Settings of uvicorn: the loopback address alone, no line a request, no header that names the server."""

    host: str
    port: int
    log_level: str
    access_log: bool
    server_header: bool
    date_header: bool
    timeout_graceful_shutdown: int


class ViewerServer:
    """The web application of some settings; `run()` serves until it is ended, `with` serves while its block runs."""

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.address = f"http://127.0.0.1:{settings.port}/?token={settings.token}"
        """Address with its token, for a browser on this computer."""
        self._serving: AbstractContextManager[None] | None = None

    def __repr__(self) -> str:
        return f"ViewerServer(port={self.settings.port}, home='{self.settings.home.name}')"

    def run(self, *, started: Callable[[str], None] | None = None) -> None:
        """Serve until the program is ended; `started` receives the address. Raises `InputError` for a home in use."""
        import uvicorn

        from cinema_cmr.serve.application import make_app

        with folder_lock(self.settings.home):
            if started is not None:
                started(self.address)
            uvicorn.run(make_app(self.settings), **self._options())

    def __enter__(self) -> Self:
        self._serving = self._in_a_thread()
        self._serving.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._serving is not None
        self._serving.__exit__(None, None, None)

    @contextmanager
    def _in_a_thread(self) -> Iterator[None]:
        import uvicorn

        from cinema_cmr.serve.application import make_app

        with folder_lock(self.settings.home):
            server = uvicorn.Server(uvicorn.Config(make_app(self.settings), **self._options()))
            thread = Thread(target=_served, args=(server,), name="viewer", daemon=True)
            thread.start()
            try:
                self._wait(server, thread)
                yield
            finally:
                server.should_exit = True
                thread.join(timeout=_START_S)

    def _wait(self, server: Any, thread: Thread) -> None:
        end = time.monotonic() + _START_S
        while not server.started and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.05)
        if not server.started:
            raise InputError(
                f"port {self.settings.port} cannot be listened on; expected one that is free: choose another port"
            )

    def _options(self) -> _Listening:
        return {
            "host": "127.0.0.1",
            "port": self.settings.port,
            "log_level": "warning",
            "access_log": False,
            "server_header": False,
            "date_header": False,
            "timeout_graceful_shutdown": 3,
        }


def wait_until_ended() -> None:
    """Wait for Ctrl-C or a signal; one that arrives in another thread is seen within a second, not never."""
    while True:
        time.sleep(1.0)


class DicomServer:
    """The DICOM receiver of some settings; `run()` receives until it is ended, `with` receives while its block runs."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self.settings = settings
        self.address = f"{settings.ae_title}@{settings.host}:{settings.port}" if settings.port else None
        """AE@HOST:PORT; None for a watched folder alone."""
        self._receiving: AbstractContextManager[JobStore] | None = None

    def __repr__(self) -> str:
        return f"DicomServer({self.address}, home='{self.settings.home.name}')"

    def run(self) -> None:
        """Receive until the program is ended; raises as `with` does."""
        with self:
            wait_until_ended()

    def __enter__(self) -> JobStore:
        """Start; return the received studies. Raises `InputError` for a home in use or a port that is not free."""
        from cinema_cmr.receive.receiver import receiving

        self._receiving = receiving(self.settings)
        return self._receiving.__enter__()

    def __exit__(self, *error: Any) -> None:
        assert self._receiving is not None
        self._receiving.__exit__(*error)


def serve_viewer(
    results: Sequence[Path | str] | Path | str = (), *, port: int = 8420, home: Path | str = _VIEWER_HOME
) -> ViewerServer:
    """Return a server of the viewer on this computer alone: `.run()` serves until it is ended, `with` for a block.

    `results`: folders that `analyse` wrote, or folders of them; `home`: folder of the studies that are sent to it.
    `.address`, with its token, is what a browser opens. Raises `InputError` for a folder that does not exist,
    `UsageError` without the extra web or for a port that is none.
    """
    try:
        for module in ("uvicorn", "cinema_cmr.serve.application"):
            import_module(module)
    except ImportError as error:
        raise UsageError(
            f"the package '{error.name}' is not installed; expected the extra web: pip install 'cinema-cmr[web]'"
        ) from error
    folders = tuple(map(Path, [results] if isinstance(results, Path | str) else results))
    check_folders(folders)
    return ViewerServer(ServeSettings(home=Path(home).expanduser(), results=folders, port=port))


def serve_dicom(
    *,
    port: int | None = None,
    watch: Path | str | None = None,
    ae_title: str = "CINEMA",
    host: str = "127.0.0.1",
    calling: Sequence[str] = (),
    to: Sequence[str] = (),
    to_web: Sequence[str] = (),
    home: Path | str = _RECEIVER_HOME,
    quiet_s: float = 30.0,
    associations: int = 10,
    max_study_gb: float = 8.0,
) -> DicomServer:
    """Return a DICOM node that analyses what it receives: `.run()` receives until it is ended, `with` for a block.

    `port`: 11112 by default, none where a folder to `watch` is given; `calling`: titles that are accepted, needed
    beyond the loopback address; `to`: AE@HOST:PORT, and `to_web`: DICOMweb addresses that get the results; `quiet_s`:
    seconds without an image until a study is complete. Raises `UsageError` for values that exclude each other.
    """
    settings = ReceiverSettings(
        home=Path(home).expanduser(),
        ae_title=ae_title,
        host=host,
        port=port if port is not None or watch is not None else _DICOM_PORT,
        calling=tuple(calling),
        watched=None if watch is None else Path(watch),
        peers=tuple(map(Peer.parse, to)),
        web_addresses=tuple(to_web),
        quiet_s=quiet_s,
        associations=associations,
        limits=Limits(job_bytes=int(max_study_gb * 1e9)),
    )
    return DicomServer(settings)


def _served(server: Any) -> None:
    """Run a server in this thread; that it ends the program where its port is taken is seen by the caller."""
    try:
        server.run()
    except SystemExit:
        return
