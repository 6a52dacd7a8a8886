"""The DICOM node: confirms C-ECHO, receives images by C-STORE, refuses what is not allowed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cinema_cmr.core.errors import CinemaError, InputError, as_cinema_error
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.inbox import BusyError, Inbox
from cinema_cmr.receive.receiver_settings import ReceiverSettings
from cinema_cmr.serve.jobs import TooLargeError

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.events import Event

__all__ = ["Listener"]

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
"""Statuses of C-STORE (PS3.4 B.2.3)."""
_COUNTED = {"new": "new_images", "known": "known_images", "other": "not_kept", "refused": "refused"}
"""What an object was -> name of its count in the log."""
_NETWORK_TIMEOUT_S = 60.0
_GRACE_S = 3.0
"""Time that open associations have to end by themselves when the listener stops."""
_POLL_S = 0.02
TRANSFER_SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    *(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91)),
    "1.2.840.10008.1.2.5",
)
"""Encodings that are accepted, since images are read in them: plain, deflated, JPEG, JPEG-LS, JPEG 2000 and RLE."""


class Listener:
    """Listens on a port. A failure of one association leaves the others alone.

    All storage classes are accepted, so that a study with other objects than images can be sent whole; what is no MR
    image is acknowledged and not kept.
    """

    def __init__(self, settings: ReceiverSettings, inbox: Inbox, log: EventLog) -> None:
        self._settings, self._inbox, self._log = settings, inbox, log
        self._message_bytes: dict[int, int] = {}
        """Association -> bytes of the message that is being received."""
        self._counts: dict[int, Counter[str]] = {}
        """Association -> what became of its objects."""
        self._released: set[int] = set()
        """Associations whose sender has said that it is done."""
        self._entity: ApplicationEntity | None = None

    def start(self) -> None:
        """Begin to listen; raises `InputError` if the port is in use or the address is not of this machine."""
        from pynetdicom import evt

        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_DATA_RECV, self._count_bytes),
            (evt.EVT_PDU_RECV, self._note_release),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]
        host, port = self._settings.host, self._settings.port
        self._entity = self._application_entity()
        try:
            self._entity.start_server((host, port), block=False, evt_handlers=handlers)
        except OSError as error:
            raise InputError(
                f"port {port} of {host} cannot be listened on ({error.strerror}); expected a free port of this machine:"
                " choose another with --port"
            ) from error

    def stop(self) -> None:
        """Close the port, and end the associations that do not end by themselves within moments.

        pynetdicom fails in a thread of its own if it is to end an association that is just ending.
        """
        if self._entity is None:
            return
        until = time.monotonic() + _GRACE_S
        while self._entity.active_associations and time.monotonic() < until:
            time.sleep(_POLL_S)
        self._entity.shutdown()

    def _application_entity(self) -> ApplicationEntity:
        from pynetdicom import AE, AllStoragePresentationContexts
        from pynetdicom.sop_class import Verification

        entity = AE(ae_title=self._settings.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self._settings.calling)
        entity.maximum_associations = self._settings.associations
        entity.network_timeout = _NETWORK_TIMEOUT_S
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, list(TRANSFER_SYNTAXES))
        return entity

    def _store(self, event: Event) -> int:
        """Store an image; return the status of C-STORE."""
        self._message_bytes.pop(id(event.assoc), None)
        counts = self._counts.get(id(event.assoc), Counter())
        counts["refused"] += 1
        try:
            counts[self._inbox.receive(_file_parts(event))] += 1
        except (TooLargeError, BusyError) as error:
            return self._refused(OUT_OF_RESOURCES, error)
        except CinemaError as error:
            return self._refused(CANNOT_UNDERSTAND, error)
        except OSError as error:
            return self._refused(OUT_OF_RESOURCES, as_cinema_error(error))
        counts["refused"] -= 1
        return SUCCESS

    def _refused(self, status: int, error: CinemaError) -> int:
        self._log.event("image-refused", status=f"{status:04x}", error=str(error))
        return status

    def _count_bytes(self, event: Event) -> None:
        """Abort an association whose message is larger than an image may be: it is held in memory."""
        key = id(event.assoc)
        self._message_bytes[key] = self._message_bytes.get(key, 0) + len(event.data)
        if self._message_bytes[key] > self._settings.instance_bytes:
            self._message_bytes[key] = 0
            self._log.event("association-aborted", reason=f"an image of over {self._settings.instance_bytes} bytes")
            event.assoc.abort()

    def _accepted(self, event: Event) -> None:
        self._counts[id(event.assoc)] = Counter()
        self._log.event("association", calling=event.assoc.requestor.ae_title)

    def _rejected(self, event: Event) -> None:
        request = event.assoc.requestor.primitive
        called = request.called_ae_title if request else None
        self._log.event("association-rejected", calling=event.assoc.requestor.ae_title, called=called)

    def _note_release(self, event: Event) -> None:
        if type(event.pdu).__name__ == "A_RELEASE_RQ":
            self._released.add(id(event.assoc))

    def _closed(self, event: Event) -> None:
        """Log what came over an association that brought objects, and whether its sender ended it or it broke off."""
        key = id(event.assoc)
        self._message_bytes.pop(key, None)
        counts, released = self._counts.pop(key, None), key in self._released
        self._released.discard(key)
        if counts:
            found = {name: counts[kind] for kind, name in _COUNTED.items()}
            self._log.event("association-ended", ended="released" if released else "broken off", **found)


def _file_parts(event: Event) -> Iterator[bytes]:
    """Yield the bytes of the file that holds a received data set, which is not decoded."""
    from pynetdicom.dsutils import encode_file_meta

    yield b"\0" * 128 + b"DICM"
    yield encode_file_meta(event.file_meta)
    yield event.encoded_dataset(include_meta=False)
