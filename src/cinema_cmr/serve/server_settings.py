"""Settings of the local web application: its port, its folders, and what it accepts."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cinema_cmr.core.errors import UsageError

__all__ = ["ANALYSE", "Limits", "ServeSettings", "own_token"]

ANALYSE = (sys.executable, "-m", "cinema_cmr.serve.worker")
"""Command that analyses a job; the job's folder is its last argument."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a client may send."""

    document_bytes: int = 8 << 20
    """Largest body of a request that is not a file."""
    job_bytes: int = 8 << 30
    """Largest size of all files of one study."""
    job_files: int = 50_000
    """Largest number of files of one study."""
    free_bytes: int = 1 << 30
    """Free space on disk that an upload must leave."""
    waiting_jobs: int = 1000
    """Largest number of studies that are not finished."""


def own_token() -> str:
    """Return a new random token of 256 bits, in characters that need no escape in an address."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Folders, port and token of one server; it listens on the loopback address alone."""

    home: Path
    """Folder of the studies that are sent to the server, with the queue."""
    results: tuple[Path, ...] = ()
    """Finished results, or folders of them."""
    port: int = 8420
    token: str = field(default_factory=own_token, repr=False)
    limits: Limits = field(default_factory=Limits)
    command: tuple[str, ...] = ANALYSE

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise UsageError(f"port {self.port} was given; expected a number from 1 to 65535, such as 8420")

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the header Host that name this server."""
        return frozenset(f"{name}:{self.port}" for name in ("127.0.0.1", "localhost"))

    @property
    def origins(self) -> frozenset[str]:
        """Values of the header Origin that name this server's own pages."""
        return frozenset(f"http://{host}" for host in self.hosts)

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; with the port, as cookies of one host are shared by all its ports."""
        return f"cinema_{self.port}"
