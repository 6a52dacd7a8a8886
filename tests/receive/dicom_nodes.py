"""Images, senders and archives for tests of the receiver, on the loopback address."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Lock

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, AllStoragePresentationContexts, evt

from cinema_cmr.io.dicom.writing.identifiers import uid_from
from processes import until

STUB = (sys.executable, str(Path(__file__).with_name("stub_study_job.py")))
"""A job that writes three objects: as fast as a test needs, as killable as the true one."""
N_OBJECTS = 3
PATIENT = {"PatientName": "Secret^Patient", "PatientID": "PID-4711", "PatientBirthDate": "19610203"}

SERVER = """
import sys
from pathlib import Path
from threading import Event
from cinema_cmr.receive.receiver import receiving
from cinema_cmr.receive.receiver_settings import Peer, ReceiverSettings
home, port, to = sys.argv[1:4]
peers = (Peer.parse(to),) if to else ()
command = tuple(sys.argv[4:])
with receiving(ReceiverSettings(home=Path(home), port=int(port), peers=peers, quiet_s=1.0, command=command)):
    Event().wait()
"""


def image(study: str, number: int, *, sop_class: str = MRImageStorage, size: int = 64, **elements: object) -> Dataset:
    """One image of a named study, of `size` bytes of pixels."""
    dataset = Dataset()
    for keyword, value in {**PATIENT, **elements}.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = uid_from("image", study, number)
    dataset.StudyInstanceUID = uid_from("study", study)
    dataset.SeriesInstanceUID = uid_from("series", study)
    dataset.Modality = "MR"
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 8, 8, 8
    dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 1
    dataset.PixelData = bytes(size)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def result_object(*parts: str | int) -> Dataset:
    """A small object as the receiver sends them, with identifiers made of the parts."""
    dataset = image("results", 0, sop_class=ComprehensiveSRStorage)
    del dataset.PixelData
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid_from("result", *parts)
    return dataset


def file_bytes(dataset: Dataset) -> bytes:
    """The bytes of a DICOM file."""
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def images(study: str, n: int = 4, **given: object) -> list[Dataset]:
    """Images of a study."""
    return [image(study, number, **given) for number in range(n)]  # type: ignore[arg-type]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def send(
    port: int, datasets: Iterable[Dataset], *, called: str = "CINEMA", calling: str = "SENDER"
) -> list[int | None] | None:
    """Send over one association; the statuses, None for no response, or None if the association is refused."""
    entity = AE(ae_title=calling)
    entity.connection_timeout = entity.acse_timeout = 10
    for kind in (MRImageStorage, ComprehensiveSRStorage):
        entity.add_requested_context(kind, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return None
    statuses: list[int | None] = []
    for dataset in datasets:
        if not association.is_established:
            return [*statuses, None]
        statuses.append(association.send_c_store(dataset).get("Status"))
    if association.is_established:
        association.release()
    return statuses


class Archive:
    """A DICOM node that counts what it is sent; `pause_s` makes it slow, `status` makes it refuse."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received: Counter[str] = Counter()
        self.pause_s, self.status = 0.0, 0x0000
        self._lock = Lock()

    @property
    def address(self) -> str:
        """AE@HOST:PORT."""
        return f"ARCHIVE@127.0.0.1:{self.port}"

    def store(self, event: evt.Event) -> int:
        """Count an object."""
        time.sleep(self.pause_s)
        with self._lock:
            if self.status == 0:
                self.received[str(event.request.AffectedSOPInstanceUID)] += 1
            return self.status


@contextmanager
def archive(kinds: Sequence[str] = ()) -> Iterator[Archive]:
    """An archive that listens in the block, for these storage classes or all."""
    one, entity = Archive(), AE(ae_title="ARCHIVE")
    for kind in kinds or [context.abstract_syntax for context in AllStoragePresentationContexts]:
        entity.add_supported_context(kind)
    server = entity.start_server(("127.0.0.1", one.port), block=False, evt_handlers=[(evt.EVT_C_STORE, one.store)])
    try:
        yield one
    finally:
        assert server is not None
        server.shutdown()


def started_server(home: Path, port: int, to: str = "", command: Sequence[str] = STUB) -> subprocess.Popen[bytes]:
    """A receiver in a process of its own, once it listens; its log is appended to HOME.log."""
    with Path(f"{home}.log").open("ab") as log:
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(home), str(port), to, *command], stderr=log)

    def listens() -> bool:
        assert server.poll() is None, Path(f"{home}.log").read_text()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    until(listens)
    return server


def uids_below(folder: Path) -> Counter[str]:
    """SOP Instance UIDs of the DICOM files below a folder."""
    return Counter(str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in folder.rglob("*.dcm"))
