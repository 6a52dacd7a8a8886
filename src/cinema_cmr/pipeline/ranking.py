"""Which studies to label next: those that stand for many others of which a model is not sure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError, InputError, UsageError
from cinema_cmr.core.memory import check_memory
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import STORE_SUFFIX, write_study
from cinema_cmr.files.leftovers import temporary_folder
from cinema_cmr.inference.features import FeatureExtractor
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.manifest import ManifestRow, study_names
from cinema_cmr.io.read import read_study
from cinema_cmr.models.weights import load_model
from cinema_cmr.score.representatives import order_representatives, similarity_bytes

__all__ = ["RankedStudy", "rank"]

Failed = Callable[[str, CinemaError], None]

_PHASES = (0.0, 0.4)
"""Parts of the cycle that a study is judged by: about ED and ES."""


@dataclass(frozen=True, kw_only=True)
class RankedStudy:
    """One study of the order."""

    rank: int
    """Place, from 1."""
    name: str
    path: str
    gain: float
    """Share of all uncertainty that this study stands for and none before it does, 0 to 1."""
    confidence: float | None
    """Mean probability of the predicted structures at two phases, 0 to 1; 0 where there are none, None without a model.
    """


@dataclass(frozen=True, kw_only=True)
class _Judged:
    name: str
    path: str
    features: NDArray[np.float64]
    confidence: float | None


def rank(
    sources: Sequence[Path | str],
    *,
    labelled: Sequence[Path | str] = (),
    model: Path | str | None = "cinema-sax",
    encoder: Path | str = "cinema-small-sax",
    n: int | None = None,
    device: str = "auto",
    names: Sequence[str] | None = None,
    report: Callable[[int, int], None] | None = None,
    failed: Failed | None = None,
) -> list[RankedStudy]:
    """Order studies by what labelling them is expected to add; best first, `n` of them or all.

    A study counts by how many others look like it (features of the `encoder`, about the heart, at two phases) of which
    the segmentation `model` is not sure; `labelled` studies stand for theirs already. With `model` None all count
    alike. The order for few is the beginning of that for more.

    `names` of the sources; by default those that `cinema analyse` gives them.

    `report` receives how many studies are judged and of how many, `failed` the studies that cannot be; without it the
    first error is raised. Raises `UsageError` for the same study twice, `InputError` where none is left.
    """
    paths = [str(path) for path in (*labelled, *sources)]
    if len({str(Path(path).resolve()) for path in paths}) < len(paths):
        raise UsageError("a study is given twice; expected each once, and none of the labelled ones among the others")
    check_memory(similarity_bytes(len(paths)), f"the comparison of {len(paths)} studies with each other")
    titles = [
        *study_names([ManifestRow(path=Path(path)) for path in labelled]),
        *(names or study_names([ManifestRow(path=Path(path)) for path in sources])),
    ]
    runtime = choose_runtime(device)
    extractor = FeatureExtractor(load_model(encoder), runtime)
    segmenter = None if model is None else load_segmenter(model, device=device)
    judged: list[_Judged] = []
    n_labelled = 0
    for place, (path, title) in enumerate(zip(paths, titles, strict=True)):
        try:
            judged.append(_judge(path, title, extractor, segmenter))
            n_labelled += place < len(labelled)
        except CinemaError as error:
            if failed is None:
                raise
            failed(title, error)
        if report is not None:
            report(place + 1, len(paths))
    if len(judged) == n_labelled:
        raise InputError(f"none of {len(sources)} studies could be judged; expected short-axis cines")
    return _ordered(judged, n_labelled, n)


def _ordered(judged: Sequence[_Judged], n_labelled: int, n: int | None) -> list[RankedStudy]:
    features = np.stack([one.features for one in judged])
    doubts = np.array([1.0 if one.confidence is None else 1.0 - one.confidence for one in judged])
    order = order_representatives(features, doubts, known=range(n_labelled), n=n)
    return [
        RankedStudy(
            rank=place,
            name=judged[index].name,
            path=judged[index].path,
            gain=gain,
            confidence=judged[index].confidence,
        )
        for place, (index, gain) in enumerate(order, 1)
    ]


def _judge(path: str, name: str, extractor: FeatureExtractor, segmenter: Segmenter | None) -> _Judged:
    study = _two_phases(read_study(path, name=name))
    with temporary_folder() as folder:
        stored = write_study(study, folder / f"study{STORE_SUFFIX}")
        rows = extractor.rows(stored, heart=True)
    vectors = [row.values for row in rows if row.tokens.startswith(f"{View.SAX}/")]
    confidence = None
    if segmenter is not None:
        found = predict_cine(study.cine(View.SAX), segmenter).confidence
        confidence = float(np.nanmean(found)) if np.isfinite(found).any() else 0.0
    return _Judged(name=name, path=path, features=np.concatenate(vectors).astype(np.float64), confidence=confidence)


def _two_phases(study: Study) -> Study:
    """Return the short-axis stack at the phases that a study is judged by; raises `NoCineError` without one."""
    cine = study.cine(View.SAX)
    frames = [min(round(phase * cine.n_frames), cine.n_frames - 1) for phase in _PHASES]
    array = cine.array[..., frames]
    return replace(study, cines=(replace(cine, array=array, frame_times_ms=None),))
