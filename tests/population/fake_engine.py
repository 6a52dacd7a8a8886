"""An engine in this process: studies in a given order, for tests of what is made of outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from stub_works import StubWork

from cinema_cmr.core.errors import CinemaError
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import Attempt, StudyOutcome, outcome_archive
from cinema_cmr.population.supervisor import Job
from cinema_cmr.population.work import listing_hash


class FakeEngine:
    """Works backwards with `backwards`; is interrupted after `stops_after` studies."""

    def __init__(self, *, backwards: bool = False, stops_after: int | None = None, seconds: float = 1.0) -> None:
        self.backwards, self.stops_after, self.seconds = backwards, stops_after, seconds
        self.done: list[str] = []

    def __call__(self, studies: Sequence[ListedStudy], job: Job) -> Iterator[tuple[ListedStudy, bytes]]:
        for study in reversed(studies) if self.backwards else studies:
            if self.stops_after is not None and len(self.done) >= self.stops_after:
                raise KeyboardInterrupt
            self.done.append(study.name)
            yield study, self._archive(study, job)

    def _archive(self, study: ListedStudy, job: Job) -> bytes:
        about = {"name": study.name, "settings": job.settings, "listing": listing_hash(study), "facts": study.facts}
        cost = Attempt(seconds=self.seconds, peak_mb=500.0)
        try:
            parts = StubWork()(study)
        except CinemaError as error:
            failed = StudyOutcome(**about, cause="input", reason=str(error), exit_code=3, cost=cost)  # type: ignore[arg-type]
            return outcome_archive(failed, {})
        done = StudyOutcome(**about, record=parts.record, image=parts.image, cost=cost)  # type: ignore[arg-type]
        return outcome_archive(done, parts.members)


def write_manifest(folder: Path) -> Path:
    """Write the manifest of two studies that are measured and one that is not; return its path."""
    lines = ["id,path,sex,group", *(f"{name},{name}.nii.gz,F,NOR" for name in ("good-1", "good-2", "broken-3"))]
    (folder / "good-1.nii.gz").touch()
    (folder / "studies.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "studies.csv"
