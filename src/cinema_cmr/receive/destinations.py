"""Where results are sent: a DICOM node by C-STORE, a DICOMweb service by STOW-RS."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cinema_cmr.core.errors import InputError
from cinema_cmr.receive.receiver_settings import Peer, ReceiverSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.association import Association

__all__ = [
    "AUTHORIZATION",
    "DeliveryError",
    "Destination",
    "NodeDestination",
    "UnreachableError",
    "WebDestination",
    "destinations_of",
]

AUTHORIZATION = "CINEMA_DICOMWEB_AUTHORIZATION"
"""Environment variable with the value of the header Authorization for DICOMweb services."""
_WARNING = 0xB000
"""Statuses from here to 0xBFFF: stored, with a remark (PS3.7 annex C)."""
_TIMEOUT_S = 60.0


class DeliveryError(InputError):
    """An object that a destination refused."""


class UnreachableError(DeliveryError):
    """A destination that takes nothing at present."""


class Destination(Protocol):
    """A place that takes DICOM objects."""

    @property
    def name(self) -> str:
        """Address, without secrets."""

    def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
        """Send files and call `sent` with each one taken.

        Raises `UnreachableError` where nothing more can be sent, and, after the last file, `DeliveryError` if some were
        refused: an archive that takes no segmentation may take the report.
        """


class NodeDestination:
    """A DICOM node; all files go over one association."""

    def __init__(self, peer: Peer, *, ae_title: str) -> None:
        self._peer, self._ae_title = peer, ae_title

    @property
    def name(self) -> str:
        """Address AE@HOST:PORT."""
        return str(self._peer)

    def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
        """Send files by C-STORE; raises as `Destination.send` does."""
        association = self._associated(files)
        try:
            _send_each(files, lambda path: self._store(association, path), sent)
        finally:
            if association.is_established:
                association.release()

    def _associated(self, files: Sequence[Path]) -> Association:
        from pynetdicom import AE

        entity = AE(ae_title=self._ae_title)
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = entity.connection_timeout = _TIMEOUT_S
        for kind, syntax in dict.fromkeys(_class_and_syntax(path) for path in files):
            entity.add_requested_context(kind, syntax)
        association = entity.associate(self._peer.host, self._peer.port, ae_title=self._peer.ae_title)
        if association.is_established:
            return association
        if association.rejected_contexts:
            raise DeliveryError(f"{self.name} takes no object of these kinds; expected storage of results")
        why = "refused the association" if association.is_rejected else "cannot be reached"
        raise UnreachableError(f"{self.name} {why}; expected a DICOM node that accepts {self._ae_title}")

    def _store(self, association: Association, path: Path) -> None:
        try:
            status = association.send_c_store(path).get("Status")
        except ValueError as error:
            raise DeliveryError(f"{self.name} takes no object of this kind; expected storage of results") from error
        except RuntimeError as error:
            raise UnreachableError(f"{self.name} broke off; expected an association to its end") from error
        if status is None:
            raise UnreachableError(f"{self.name} gave no response; expected a status of C-STORE")
        if status != 0 and status & 0xF000 != _WARNING:
            raise DeliveryError(f"{self.name} refused an object with status {status:04x}; expected success")


class WebDestination:
    """A DICOMweb service; each file is one request, so that each is known to be stored or not."""

    def __init__(self, address: str, *, authorization: str | None = None) -> None:
        self._address, self._authorization = address, authorization

    @property
    def name(self) -> str:
        """URL of the service, without user and password."""
        scheme, _, rest = self._address.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
        """Send files by STOW-RS; raises as `Destination.send` does."""
        from dicomweb_client.web import DICOMwebClient
        from pydicom import dcmread
        from requests import RequestException

        logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL + 1)  # it logs identifiers
        headers = {"Authorization": self._authorization} if self._authorization else None
        client = DICOMwebClient(self._address, headers=headers)
        client.set_http_retry_params(retry=False)  # the outbox tries again

        def store(path: Path) -> None:
            try:
                self._check(client.store_instances([dcmread(path)]))
            except RequestException as error:
                raise self._failure(error.response.status_code if error.response is not None else None) from error

        _send_each(files, store, sent)

    def _failure(self, status: int | None) -> DeliveryError:
        """Return the error of a request by its HTTP status; PS3.18 10.5.3: 409 and 415 concern the object alone."""
        why = f"responded with HTTP status {status}" if status else "cannot be reached"
        kind = DeliveryError if status in (409, 415) else UnreachableError
        return kind(f"{self.name} {why}; expected a DICOMweb service that stores")

    def _check(self, response: Dataset) -> None:
        failed = response.get("FailedSOPSequence") or []
        if failed:
            reason = int(failed[0].get("FailureReason") or 0)
            raise DeliveryError(f"{self.name} refused an object, reason {reason:04x}; expected success")


def destinations_of(settings: ReceiverSettings) -> tuple[Destination, ...]:
    """Return the destinations of a receiver; a secret for DICOMweb is read from the environment."""
    nodes = (NodeDestination(peer, ae_title=settings.ae_title) for peer in settings.peers)
    secret = os.environ.get(AUTHORIZATION)
    return (*nodes, *(WebDestination(address, authorization=secret) for address in settings.web_addresses))


def _send_each(files: Sequence[Path], store: Callable[[Path], None], sent: Callable[[Path], None]) -> None:
    """Store each file; raises the first refusal after the last file, other errors at once."""
    refused: list[DeliveryError] = []
    for path in files:
        try:
            store(path)
        except UnreachableError:
            raise
        except DeliveryError as error:
            refused.append(error)
        else:
            sent(path)
    if refused:
        raise refused[0]


def _class_and_syntax(path: Path) -> tuple[str, str]:
    from pydicom.filereader import read_file_meta_info

    meta = read_file_meta_info(path)
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
