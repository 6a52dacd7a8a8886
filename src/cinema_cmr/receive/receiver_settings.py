"""Settings of the DICOM receiver: where it listens, whom it accepts, where results go, and its limits."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from cinema_cmr.core.errors import UsageError
from cinema_cmr.serve.server_settings import Limits

__all__ = ["ANALYSE_AND_EXPORT", "Peer", "ReceiverSettings", "check_network_extra"]

ANALYSE_AND_EXPORT = (sys.executable, "-m", "cinema_cmr.receive.study_job")
"""Command that analyses a job and writes its DICOM objects; the job's folder is its last argument."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_AE_TITLE = re.compile(r"(?! )[\x20-\x5b\x5d-\x7e]{1,16}(?<! )")
"""PS3.5 table 6.2-1: 16 characters without backslash and control characters; spaces around it mean nothing."""
_PEER = re.compile(r"(?P<ae_title>[^@]+)@(?P<host>\[[^\]]+\]|[^:@]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Address of another DICOM node; raises `UsageError` for a title or port that DICOM does not allow."""

    ae_title: str
    host: str
    port: int

    def __post_init__(self) -> None:
        _check_title(self.ae_title)
        _check_port(self.port)

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Return the node of an address AE@HOST:PORT; raises `UsageError` for other text.

        >>> Peer.parse("ORTHANC@127.0.0.1:4242")
        Peer(ae_title='ORTHANC', host='127.0.0.1', port=4242)
        """
        match = _PEER.fullmatch(text)
        if match is None:
            raise UsageError(f"'{text}' is no DICOM address; expected AE@HOST:PORT, such as ORTHANC@127.0.0.1:4242")
        return cls(ae_title=match["ae_title"], host=match["host"].strip("[]"), port=int(match["port"]))

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class ReceiverSettings:
    """Everything that a receiver is started with; raises `UsageError` for values that exclude each other."""

    home: Path
    """Folder of the received studies, with the queue and the results."""
    ae_title: str = "CINEMA"
    """Own application entity title; associations that call another are refused."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int | None = 11112
    """Port to listen on; None for a watched folder alone."""
    calling: tuple[str, ...] = ()
    """Calling titles that are accepted; empty for all, which only the loopback address allows."""
    watched: Path | None = None
    """Folder that studies are dropped into."""
    peers: tuple[Peer, ...] = ()
    """Nodes that receive the results by C-STORE."""
    web_addresses: tuple[str, ...] = ()
    """DICOMweb services that receive the results by STOW-RS."""
    quiet_s: float = 30.0
    """Seconds without a new image after which a study is complete."""
    associations: int = 10
    """Most associations at a time."""
    instance_bytes: int = 512 << 20
    """Largest size of one instance, which is received in memory."""
    limits: Limits = field(default_factory=Limits)
    """Limits of one study and of the queue."""
    command: tuple[str, ...] = ANALYSE_AND_EXPORT

    def __post_init__(self) -> None:
        for title in (self.ae_title, *self.calling):
            _check_title(title)
        if self.port is not None:
            _check_port(self.port)
        if self.port is None and self.watched is None:
            raise UsageError("there is neither a port nor a folder to watch; expected at least one of them")
        if self.port is not None and self.host not in LOOPBACK and not self.calling:
            raise UsageError(
                f"'{self.host}' is reachable by other machines, and every calling title would be accepted; expected"
                " the titles of the senders: name them with --calling"
            )
        if self.quiet_s < 1:
            raise UsageError(f"a quiet time of {self.quiet_s:g} s was given; expected at least 1 s")
        if self.associations < 1:
            raise UsageError(f"{self.associations} associations were given; expected at least 1")
        for address in self.web_addresses:
            _check_web(address)


def check_network_extra() -> None:
    """Raise `UsageError` if pynetdicom or dicomweb-client, which speak to other systems, is not installed."""
    missing = [name for name in ("pynetdicom", "dicomweb_client") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the package '{missing[0].replace('_', '-')}' is not installed; expected the extra dicom:"
            " pip install 'cinema-cmr[dicom]'"
        )


def _check_title(title: str) -> None:
    if not _AE_TITLE.fullmatch(title):
        raise UsageError(f"'{title}' is no application entity title; expected 1 to 16 characters without backslash")


def _check_port(port: int) -> None:
    if not 0 < port < 65536:
        raise UsageError(f"port {port} was given; expected a number from 1 to 65535, such as 11112")


def _check_web(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            "the address of the DICOMweb service is no URL; expected one such as http://127.0.0.1:8042/dicom-web"
        )
