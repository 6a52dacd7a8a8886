"""A study goes from Orthanc to the receiver, and its results come back and are seen over DICOMweb."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("highdicom")
pytest.importorskip("pynetdicom")
pytest.importorskip("dicomweb_client")

from dicomweb_client.web import DICOMwebClient
from interop_hearts import long_axis_cine, stack_cine, write_study
from orthanc_node import is_installed, orthanc
from pydicom import Dataset, dcmread

from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.receive.event_log import EventLog
from cinema_cmr.receive.receiver import receiving
from cinema_cmr.receive.receiver_settings import Peer, ReceiverSettings
from processes import until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not is_installed(), reason="needs Orthanc with DICOMweb")]

ORACLE = (sys.executable, str(Path(__file__).with_name("oracle_study_job.py")))


def numbers(content: Dataset) -> Iterator[float]:
    """Every number of a structured report."""
    for measured in content.get("MeasuredValueSequence") or ():
        yield float(measured.NumericValue)
    for inner in content.get("ContentSequence") or ():
        yield from numbers(inner)


@pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"])
def test_results_come_back(tmp_path: Path, way: str) -> None:
    source = write_study(tmp_path / "study", stack_cine(), long_axis_cine(), shape=DicomShape.ENHANCED, identity=True)
    lines: list[str] = []
    with orthanc(tmp_path / "orthanc") as archive:
        settings = ReceiverSettings(
            home=tmp_path / "home",
            port=archive.cinema_port,
            peers=(Peer.parse(archive.address),) if way == "C-STORE" else (),
            web_addresses=(archive.web,) if way == "STOW-RS" else (),
            quiet_s=1.0,
            command=ORACLE,
        )
        with receiving(settings, EventLog(lines.append)):
            archive.send_to_cinema(archive.import_study(source))
            until(lambda: any('"sent"' in line or '"failed"' in line for line in lines), seconds=240)
        written = {str(one.SOPInstanceUID): one for one in map(dcmread, (tmp_path / "home").rglob("dicom/*.dcm"))}
        study = str(next(iter(written.values())).StudyInstanceUID)
        client = DICOMwebClient(archive.web)
        found = [Dataset.from_json(one) for one in client.search_for_series(study)]
        assert Counter(one.Modality for one in found) == {"MR": 2, "SEG": 4, "SR": 1}
        returned = [one for series in found for one in client.retrieve_series(study, series.SeriesInstanceUID)]
    results = {str(one.SOPInstanceUID): one for one in returned if one.Modality != "MR"}
    assert results.keys() == written.keys()
    for uid, one in results.items():
        assert one.get("PixelData") == written[uid].get("PixelData")
        assert list(numbers(one)) == list(numbers(written[uid]))
        assert one.PatientID == "P-0017"
    assert not any(secret in "".join(lines) for secret in ("Anna", "P-0017", study))
