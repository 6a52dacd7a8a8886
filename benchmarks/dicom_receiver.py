"""`cinema serve-dicom` beside Orthanc: exchange, kills, twenty studies at once; kept as results/dicom_receiver.json.

    python benchmarks/dicom_receiver.py [exchange kills load] [--study FOLDER] [--work FOLDER] [--studies 20]

Needs Orthanc with its DICOMweb plug-in and DCMTK. `exchange`: Orthanc sends a phantom study, and with --study a DICOM
study of a scanner, to the receiver, which analyses it and sends the results back, by C-STORE and then by STOW-RS into
an empty Orthanc; they are fetched over DICOMweb and compared with the files of the analysis, voxel by voxel and number
by number. `kills`: ten small phantom studies, SIGKILL for the receiver in each, at moments while it receives, analyses
and sends; a sender whose association broke sends its study again. `load`: twenty small phantom studies by `storescu`
over four associations at once; memory is the sum of the proportional set sizes of the receiver and all its processes.
The analyses are whole ones, with the bundled models.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import nibabel
import numpy as np
from dicomweb_client.web import DICOMwebClient
from pydicom import Dataset, dcmread

from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.dicom.writing.series import DicomShape
from cinema_cmr.phantom.cohort import CohortConfig, write_cohort
from cinema_cmr.receive.event_log import study_name

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "receive"))
from orthanc_node import Orthanc, orthanc

RESULTS = Path(__file__).parent / "results" / "dicom_receiver.json"
CODES = {"RV blood pool": 1, "LV myocardium": 2, "LV blood pool": 3}
ENDS_S = 1800.0
QUIET_S = 3
MOMENTS = (
    *(("receiving", n_images) for n_images in (1, 6, 20)),
    *(("analysing", seconds) for seconds in (0.5, 5.0, 12.0, 25.0)),
    *(("sending", n_objects) for n_objects in (1, 2, 3)),
)
"""When the receiver is killed: images on disk, seconds of the analysis, objects that were taken."""


class Receiver:
    """The command in a process of its own, which can be killed and started again in the same home."""

    def __init__(self, home: Path, port: int, *options: str) -> None:
        self.home, self._port, self._options = home, port, options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        n_earlier = self.events()["started"]
        words = ["serve-dicom", "--port", str(self._port), "--home", str(self.home), "--quiet", str(QUIET_S)]
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "cinema_cmr.cli", *words, *self._options]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        until(lambda: self.events()["started"] > n_earlier)

    def end(self, number: int) -> None:
        """End it by a signal."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait()

    @property
    def log(self) -> Path:
        """Its log, over all starts."""
        return self.home.with_suffix(".log")

    def lines(self) -> list[dict[str, Any]]:
        """Whole lines of the log."""
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def events(self) -> Counter[str]:
        """Number of events of each kind."""
        return Counter(str(line["event"]) for line in self.lines())

    def jobs(self, study: str | None = None) -> list[Path]:
        """Folders of the jobs, of one study or of all."""
        found = [path.parent for path in self.home.glob("received/*/job.json")]
        return [one for one in found if study in (None, read(one / "job.json").get("name"))]

    def is_sent(self, job: Path) -> bool:
        """Whether every object of a job was taken."""
        return bool(read(job / "sent.json").get("complete"))


@contextmanager
def receiving(home: Path, archive: Orthanc, *options: str) -> Iterator[Receiver]:
    """A receiver that runs in the block."""
    receiver = Receiver(home, archive.cinema_port, *options)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.end(signal.SIGTERM)


def main() -> None:
    """Run the parts and keep what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["exchange", "kills", "load"])
    parser.add_argument("--study", type=Path)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = given.work or Path(folder)
        parts: dict[str, Callable[[], object]] = {
            "exchange": lambda: exchange(work / "exchange", given.study),
            "kills": lambda: kills(work / "kills"),
            "load": lambda: load(work / "load", given.studies),
        }
        for name in given.parts:
            found = {**read(RESULTS), "command": "python benchmarks/dicom_receiver.py", name: parts[name]()}
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
            print(name, json.dumps(found[name], indent=1))


def exchange(work: Path, scanner_study: Path | None) -> Mapping[str, object]:
    """Let studies go round by each way; return what was compared."""
    studies = {"phantom": phantoms(work / "phantoms", 1, frames=25)[0]}
    if scanner_study is not None:
        studies["scanner"] = scanner_study
    found: dict[str, object] = {}
    for way in ("C-STORE", "STOW-RS"):
        for name, source in studies.items():
            folder = work / f"{way}-{name}"
            with orthanc(folder / "orthanc") as archive:
                back = ("--to", archive.address) if way == "C-STORE" else ("--to-web", archive.web)
                with receiving(folder / "home", archive, *back) as receiver:
                    archive.send_to_cinema(archive.import_study(source))
                    until(lambda: any(map(receiver.is_sent, receiver.jobs())) or receiver.events()["failed"] > 0)
                    (job,) = receiver.jobs()
                    found[f"{name} by {way}"] = compared(job, fetched(job, archive))
    return found


def fetched(job: Path, archive: Orthanc) -> dict[str, Dataset]:
    """Find the results of a job's study by QIDO-RS, and fetch them by WADO-RS; objects by their UID."""
    client = DICOMwebClient(archive.web)
    first = dcmread(next((job / "input").iterdir()), stop_before_pixels=True)
    study = str(first.StudyInstanceUID)
    found = {}
    for series in client.search_for_series(study_instance_uid=study):
        one = Dataset.from_json(series)
        if one.Modality in ("SEG", "SR", "DOC"):
            for dataset in client.retrieve_series(study, one.SeriesInstanceUID):
                found[str(dataset.SOPInstanceUID)] = dataset
    return found


def compared(job: Path, objects: Mapping[str, Dataset]) -> Mapping[str, object]:
    """Compare what an archive returned with the files of the analysis."""
    written = {str(one.SOPInstanceUID): one for one in map(dcmread, sorted((job / "dicom").glob("*.dcm")))}
    names = {uid: path.stem for path in (job / "dicom").glob("*.dcm") for uid in [str(dcmread(path).SOPInstanceUID)]}
    segmentations = [uid for uid, one in objects.items() if one.Modality == "SEG"]
    (report,) = [one for one in objects.values() if one.Modality == "SR"]
    numbers = list(report_numbers(report))
    measured = {one["value"] for one in read(job / "results" / "measurements.json")["measurements"]}
    return {
        "images": len(list((job / "input").iterdir())),
        "objects": Counter(str(one.Modality) for one in objects.values()),
        "all arrived": written.keys() == objects.keys(),
        "segmentations": len(segmentations),
        "with exactly the voxels of the analysis": sum(
            same_voxels(objects[uid], names[uid], job) for uid in segmentations
        ),
        "numbers in the report": len(numbers),
        "numbers of the analysis among them": sum(number in measured for number in numbers),
    }


def same_voxels(dataset: Dataset, name: str, job: Path) -> bool:
    """Whether a segmentation, placed by its own planes, is the mask of the analysis in that frame, code by code."""
    view, frame = name.removeprefix("seg_").rsplit("_", 1)
    image = nibabel.load(job / "results" / "segmentation" / f"{view}.nii.gz")
    mask = np.asarray(image.dataobj)[..., int(frame)]
    placed = np.zeros_like(mask)
    codes = {int(one.SegmentNumber): CODES[str(one.SegmentLabel)] for one in dataset.SegmentSequence}
    shared = dataset.SharedFunctionalGroupsSequence[0]
    across, down = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3)).astype(float)
    rows_mm, columns_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    for plane, group in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        row, column = np.nonzero(plane)
        corner = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        points = corner + np.outer(column * columns_mm, across) + np.outer(row * rows_mm, down)
        points[:, :2] *= -1  # LPS to RAS
        places = np.rint(nibabel.affines.apply_affine(np.linalg.inv(image.affine), points)).astype(int)
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        placed[tuple(places.T)] = codes[number]
    return bool(np.array_equal(placed, mask))


def report_numbers(content: Dataset) -> Iterator[float]:
    """Yield every number of a structured report."""
    for measured in content.get("MeasuredValueSequence") or ():
        yield float(measured.NumericValue)
    for inner in content.get("ContentSequence") or ():
        yield from report_numbers(inner)


def kills(work: Path) -> Mapping[str, object]:
    """Kill the receiver once in each study; return what each kill left and what became of its study."""
    sources = phantoms(work / "phantoms", len(MOMENTS), frames=8)
    found = []
    with orthanc(work / "orthanc") as archive, receiving(work / "home", archive, "--to", archive.address) as receiver:
        for source, (stage, amount) in zip(sources, MOMENTS, strict=True):
            found.append(killed(receiver, archive, source, stage, amount))
            print(found[-1], flush=True)
        arrived = archived(archive)
        written = [str(dcmread(path).SOPInstanceUID) for path in receiver.home.glob("received/*/dicom/*.dcm")]
    return {
        "kills": found,
        "studies": len(sources),
        "analysed and sent once": sum(one["jobs"] == 1 and one["sent"] and one["analyses"] == 1 for one in found),
        "objects written": len(written),
        "objects in the archive": len(arrived),
        "the same objects": sorted(arrived) == sorted(written),
    }


def killed(receiver: Receiver, archive: Orthanc, source: Path, stage: str, amount: float) -> dict[str, object]:
    """Send a study, kill the receiver at a moment, start it again; a broken sender sends the study again."""
    study = study_of(source)
    sender = Thread(target=lambda: statuses.append(sent([source], archive.cinema_port)))
    statuses: list[int] = []
    sender.start()
    wait_for(receiver, study, stage, amount)
    state = read(next(iter(receiver.jobs(study)), Path()) / "job.json").get("status", "receiving")
    receiver.end(signal.SIGKILL)
    sender.join()
    broken, images = statuses != [0], len(list(receiver.home.glob(f"*/{study}/*.dcm")))
    receiver.start()
    if broken:
        sent([source], archive.cinema_port)
    until(lambda: any(map(receiver.is_sent, receiver.jobs(study))))
    time.sleep(2 * QUIET_S)  # whatever would come a second time
    ends = Counter(line["event"] for line in receiver.lines() if line.get("study") == study)
    return {
        "killed while": stage,
        "after": amount,
        "job": state,
        "images waiting": images,
        "sender broken": broken,
        "jobs": len(receiver.jobs(study)),
        "analyses": ends["analysed"],
        "sent": all(map(receiver.is_sent, receiver.jobs(study))),
    }


def wait_for(receiver: Receiver, study: str, stage: str, amount: float) -> None:
    """Wait for a moment of a study's way."""
    if stage == "receiving":
        until(lambda: len(list(receiver.home.glob(f"inbox/{study}/*.dcm"))) >= amount, every_s=0.002)
        return
    until(lambda: bool(receiver.jobs(study)))
    (job,) = receiver.jobs(study)
    if stage == "analysing":
        until(lambda: read(job / "job.json").get("status") == "running", every_s=0.02)
        time.sleep(amount)
        return
    until(lambda: sum(map(len, read(job / "sent.json").get("files", {}).values())) >= amount, every_s=0.002)


def load(work: Path, n_studies: int) -> Mapping[str, object]:
    """Send studies over four associations at once; return what became of them, and the most memory."""
    sources = phantoms(work / "phantoms", n_studies, frames=8)
    peak_mb: list[float] = [0.0]
    with orthanc(work / "orthanc") as archive, receiving(work / "home", archive, "--to", archive.address) as receiver:
        started = time.monotonic()
        senders = [Thread(target=sent, args=(sources[n::4], archive.cinema_port)) for n in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        sent_s = time.monotonic() - started

        def all_sent() -> bool:
            peak_mb[0] = max(peak_mb[0], memory_mb(receiver.process.pid if receiver.process else 0))
            return len(receiver.jobs()) >= n_studies and all(map(receiver.is_sent, receiver.jobs()))

        until(all_sent, seconds=ENDS_S * 2)
        images = len(list(receiver.home.glob("received/*/input/*.dcm")))
        arrived = archived(archive)
        written = [str(dcmread(path).SOPInstanceUID) for path in receiver.home.glob("received/*/dicom/*.dcm")]
        return {
            "studies": n_studies,
            "images": sum(len(list(source.rglob("*.dcm"))) for source in sources),
            "images received": images,
            "jobs": len(receiver.jobs()),
            "analysed": receiver.events()["analysed"],
            "sent": receiver.events()["sent"],
            "all objects in the archive once": sorted(arrived) == sorted(written),
            "seconds to receive": round(sent_s, 1),
            "seconds to the last result": round(time.monotonic() - started),
            "peak memory of all processes, MB": round(peak_mb[0]),
        }


def phantoms(folder: Path, n: int, *, frames: int) -> list[Path]:
    """Folders of the images of phantom studies, one file an image, uncompressed as every sender can send them."""
    if not folder.exists():
        views, shape = (View.SAX, View.LAX_4C), DicomShape.SERIES_PER_SLICE
        write_cohort(folder, CohortConfig(n=n, views=views, format="dicom", n_frames=frames, dicom_shape=shape))
    return sorted(folder.glob("*/images"))


def study_of(source: Path) -> str:
    """Name of a study in log and queue."""
    return study_name(str(dcmread(next(source.rglob("*.dcm")), stop_before_pixels=True).StudyInstanceUID))


def sent(sources: Sequence[Path], port: int) -> int:
    """Send studies over one association; the exit code of `storescu`."""
    command = ["storescu", "-aec", "CINEMA", "127.0.0.1", str(port), "+sd", "+r", *map(str, sources)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def archived(archive: Orthanc) -> list[str]:
    """SOP Instance UIDs in an archive."""
    found = archive.call("/instances?expand")
    assert isinstance(found, list)
    return [one["MainDicomTags"]["SOPInstanceUID"] for one in found]


def memory_mb(pid: int) -> float:
    """Proportional set size of a process and all below it."""
    total, pending = 0.0, [pid]
    for one in pending:
        with suppress(OSError, ValueError, StopIteration):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024
            for task in Path(f"/proc/{one}/task").iterdir():
                pending += map(int, (task / "children").read_text().split())
    return total


def read(path: Path) -> dict[str, Any]:
    """JSON of a file; empty where there is none, or none that is whole."""
    with suppress(OSError, ValueError):
        return dict(json.loads(path.read_text()))
    return {}


def until(condition: Callable[[], bool], *, seconds: float = ENDS_S, every_s: float = 0.2) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("not within the time")
        time.sleep(every_s)


if __name__ == "__main__":
    main()
