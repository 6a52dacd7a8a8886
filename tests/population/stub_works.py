"""Works without a model: a study's numbers come from its name, and its name says how it fails."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cinema_cmr.core.errors import UnreadableFileError, WeightsError
from cinema_cmr.core.results import Flag, Measurement
from cinema_cmr.core.study import Subject
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import ImageFacts
from cinema_cmr.population.supervisor import Job
from cinema_cmr.population.work import StudyParts, Work
from cinema_cmr.population.worker import WorkerLimits
from cinema_cmr.report.record.study_record import Curves, ModelRecord, StudyIdentity, StudyRecord, Summary


def measured(name: str, value: float | None, unit: str = "ml") -> Measurement:
    return Measurement(name=name, title=name, value=value, unit=unit, method="stub", rule="of the test")


def record(
    name: str,
    values: dict[str, float | None] | None = None,
    flags: tuple[Flag, ...] = (),
    subject: Subject | None = None,
) -> StudyRecord:
    values = {"lv_edv_ml": 150.0, "lv_ef_percent": 60.0} if values is None else values
    return StudyRecord(
        study=StudyIdentity(name=name, modality="cine", input_sha256="ab" * 32),
        subject=subject or Subject(),
        summary=Summary(),
        measurements=tuple(measured(key, value, "%" if "percent" in key else "ml") for key, value in values.items()),
        curves=Curves(times_ms=(0.0, 400.0), values={"lv_volume_ml": (150.0, 60.0)}),
        flags=flags,
        disease=None,
        views=(),
        cines=(),
        predictions=(),
        landmarks=(),
        issues=(),
        model=ModelRecord(name="stub", hash="cd" * 32, inference_settings="", device="cpu", precision="fp32"),
        versions={},
        seconds={},
    )


_KEPT: list[bytes] = []


def break_heap() -> None:
    """Free 150 MB below a block that stays in use."""
    blocks = [bytes(64 << 10) for _ in range(2400)]
    _KEPT.append(blocks[-1])


def misbehave(kind: str, study: ListedStudy) -> None:
    """Fail as the study's name says."""
    if kind == "broken":
        raise UnreadableFileError(f"'{study.name}' is truncated; expected a whole file")
    if kind == "defect":
        raise ValueError("secret of the patient")
    if kind == "hang":
        time.sleep(600)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "bloat":
        np.ones(4 << 27)
    if kind == "pieces":
        break_heap()
    if kind == "flaky" and not study.path.exists():
        study.path.write_text("tried")
        os.kill(os.getpid(), signal.SIGSEGV)


class StubWork:
    """Does what the study's name says."""

    def __call__(self, study: ListedStudy) -> StudyParts:
        kind, _, number = study.name.partition("-")
        misbehave(kind, study)
        edv_ml = float(os.environ["LRU_CACHE_CAPACITY"]) if kind == "environment" else 100.0 + float(number or 0) / 7
        values: dict[str, float | None] = {"lv_edv_ml": edv_ml, "lv_ef_percent": 60.0}
        if kind == "flagged":
            values["wall_thickness_ed_mm_aha01"] = 9.0
        flags = (Flag(code="low-confidence", severity="warning", message="m"),) if kind == "flagged" else ()
        image = ImageFacts(pixels_sha256=f"{int(number or 0) // 2:032x}", outline=f"{int(number or 0):016x}")
        members = {"sax.nii.gz": f"mask of {study.name}".encode(), "thumbnail.png": b"png"}
        if kind == "flagged":
            members["report.html"] = b"<p>report</p>"
        return StudyParts(record=record(study.name, values, flags, study.subject), image=image, members=members)


@dataclass(frozen=True)
class MakeStub:
    """Makes the work; `error` instead, as of a model that does not load."""

    error: str | None = None

    def __call__(self) -> Work:
        if self.error:
            raise WeightsError(self.error)
        return StubWork()


def job(settings: str = "s1", *, seconds: float = 60.0, error: str | None = None) -> Job:
    return Job(make=MakeStub(error), settings=settings, limits=WorkerLimits(memory_mb=2048, seconds=seconds))


def studies(*names: str, folder: Path = Path("nowhere")) -> list[ListedStudy]:
    return [ListedStudy(name=name, path=folder / name) for name in names]
