"""Feature vectors of studies as the work of an engine: the same code on one machine, on Ray and on SLURM."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cinema_cmr.core.errors import CinemaError, as_cinema_error
from cinema_cmr.core.run_facts import installed_version
from cinema_cmr.population.engines.choose import EngineRequest, choose_engine
from cinema_cmr.population.listed_studies import ListedStudy
from cinema_cmr.population.outcome import archived_members, archived_outcome
from cinema_cmr.population.work import StudyParts, Work

if TYPE_CHECKING:
    from cinema_cmr.inference.features import FeatureExtractor, FeatureRow

__all__ = ["Embedded", "FeatureWork", "embed_here", "embed_on_engine", "failed_study"]

_VALUES, _ROWS = "values.npy", "rows.json"


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """The vectors of a study, or the error that prevented them."""

    study: ListedStudy
    rows: Sequence[FeatureRow] = ()
    error: CinemaError | None = None


@dataclass(frozen=True, kw_only=True)
class FeatureWork:
    """Computes the vectors of each study with one model; calling it makes the work."""

    model: str
    device: str = "auto"
    precision: str = "auto"
    over_cycle: bool = False
    heart: bool = False

    def __call__(self) -> Work:
        """Load the model."""
        return partial(_parts_of, self, self.extractor())

    def extractor(self) -> FeatureExtractor:
        """Load the model. One thread on a CPU, so that the number of workers changes no bit."""
        import torch

        from cinema_cmr.inference.features import FeatureExtractor
        from cinema_cmr.inference.runtime import choose_runtime
        from cinema_cmr.models.weights import load_model

        runtime = choose_runtime(self.device, self.precision)
        if runtime.device == "cpu":
            torch.set_num_threads(1)
        return FeatureExtractor(load_model(self.model), runtime)

    def rows(self, study: ListedStudy, extractor: FeatureExtractor) -> list[FeatureRow]:
        """Return the vectors of a study; raises what reading it raises, `NoCineError` without a view of the model."""
        from cinema_cmr.data.temporary_store import open_or_prepare

        with open_or_prepare(study.path, study.name) as stored:
            rows = extractor.rows(stored, over_cycle=self.over_cycle, heart=self.heart)
        return [replace(row, study=study.name) for row in rows]

    def resolved(self) -> FeatureWork:
        """Return the work with the device and the precision that "auto" means on this machine."""
        from cinema_cmr.inference.runtime import choose_runtime

        return replace(self, **vars(choose_runtime(self.device, self.precision)))

    def settings(self) -> str:
        """Return the hash of the model's weights, not of their path, of options, device, precision and version."""
        options = vars(self.resolved()) | self.model_hashes()
        values = [*options.values(), installed_version("cinema-cmr")]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]

    def possible_settings(self) -> frozenset[str]:
        """Return the hash of this machine: no folder holds outcomes of several."""
        return frozenset([self.settings()])

    def model_hashes(self) -> dict[str, object]:
        """Return the hash of the model's weights; raises `WeightsError` for one that is not found."""
        from cinema_cmr.models.weights import weights_hash

        return {"model": weights_hash(self.model)}


def embed_here(work: FeatureWork) -> Callable[[ListedStudy], Embedded]:
    """Return the work on one study in this process; whatever goes wrong with it does not stop the others."""
    load = cache(work.extractor)

    def embed(study: ListedStudy) -> Embedded:
        extractor = load()  # its failure is no study's fault
        try:
            return Embedded(study=study, rows=work.rows(study, extractor))
        except Exception as error:  # of any kind: the next study may be a good one
            return failed_study(study, error)

    return embed


def failed_study(study: ListedStudy, error: Exception) -> Embedded:
    """Return a study without vectors, with its error."""
    return Embedded(study=study, error=as_cinema_error(error))


def embed_on_engine(
    work: FeatureWork,
    studies: Sequence[ListedStudy],
    request: EngineRequest,
    *,
    logs: Path,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[Embedded]:
    """Yield the vectors or the error of each study as the workers of an engine finish it.

    `logs` is the folder of SLURM's jobs. Raises `WeightsError` for a model that does not load. A study that kills its
    worker, or takes more memory or time than the request allows, fails alone, after a second attempt.
    """
    engine = choose_engine(request, logs=logs, note=note)
    for study, archive in engine(studies, request.job(work)) if studies else ():
        outcome = archived_outcome(archive, study.name)
        if outcome.cause is None:
            yield Embedded(study=study, rows=_unpacked(study.name, archived_members(archive, study.name)))
            continue
        error = CinemaError(outcome.reason)
        error.exit_code = outcome.exit_code
        yield Embedded(study=study, error=error)


def _parts_of(work: FeatureWork, extractor: FeatureExtractor, study: ListedStudy) -> StudyParts:
    rows = work.rows(study, extractor)
    stream = io.BytesIO()
    np.save(stream, np.concatenate([row.values for row in rows]), allow_pickle=False)
    about = json.dumps([[row.frame, row.tokens, len(row.values)] for row in rows])
    return StudyParts(members={_VALUES: stream.getvalue(), _ROWS: about.encode()})


def _unpacked(name: str, members: dict[str, bytes]) -> list[FeatureRow]:
    from cinema_cmr.inference.features import FeatureRow

    values = np.load(io.BytesIO(members[_VALUES]), allow_pickle=False)
    about = json.loads(members[_ROWS])
    vectors = np.split(values, np.cumsum([n for _, _, n in about])[:-1])
    return [
        FeatureRow(study=name, frame=frame, tokens=tokens, values=vector)
        for (frame, tokens, _), vector in zip(about, vectors, strict=True)
    ]
