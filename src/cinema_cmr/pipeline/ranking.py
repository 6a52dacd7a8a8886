"""Which studies to label next: those that stand for many others of which a model is not sure."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import CinemaError, InputError, UsageError
from cinema_cmr.core.memory import check_memory
from cinema_cmr.core.safe_text import csv_row
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.store import STORE_SUFFIX, write_study
from cinema_cmr.files.leftovers import temporary_folder
from cinema_cmr.inference.features import FeatureExtractor
from cinema_cmr.inference.loading import load_segmenter
from cinema_cmr.inference.predictor import predict_cine
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.io.atomic import write_text
from cinema_cmr.io.manifest import ManifestRow, read_manifest, study_names
from cinema_cmr.io.read import read_study
from cinema_cmr.models.weights import load_model
from cinema_cmr.score.representatives import order_representatives, similarity_bytes

__all__ = ["RankedStudy", "Ranking", "rank"]

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


class Ranking(list[RankedStudy]):
    """Studies in the order in which to label them."""

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the order as CSV; raises `OutputExistsError` for a table that is there."""
        text = StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(RankedStudy)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(csv_row(vars(one)) for one in self)
        write_text(Path(path), text.getvalue(), overwrite=overwrite)

    def _repr_html_(self) -> str:
        from cinema_cmr.report.notebook import rows_html

        heads = ("Rank", "Study", "Stands for, %", "Confidence")
        return rows_html(
            heads,
            ((f"{one.rank}", one.name, f"{100 * one.gain:.1f}", _text(one.confidence)) for one in self),
        )


def _text(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.3f}"


@dataclass(frozen=True, kw_only=True)
class _Judged:
    name: str
    path: str
    features: NDArray[np.float64]
    confidence: float | None


def rank(
    sources: Sequence[Path | str] = (),
    *,
    manifest: Path | str | None = None,
    labelled: Sequence[Path | str] = (),
    model: Path | str | None = "cinema-sax",
    encoder: Path | str = "cinema-small-sax",
    n: int | None = None,
    device: str = "auto",
    names: Sequence[str] | None = None,
    report: Callable[[int, int], None] | None = None,
    failed: Failed | None = None,
) -> Ranking:
    """Order studies by what labelling them is expected to add; best first, `n` of them or all.

    A study counts by how many others look like it (features of the `encoder`, about the heart, at two phases) of which
    the segmentation `model` is not sure; `labelled` studies stand for theirs already. With `model` None all count
    alike. The order for few is the beginning of that for more.

    `manifest`: a table (CSV, Parquet) or a text file of further studies, as for `analyse_population`. `names` of the
    sources; by default those that `cinema analyse` gives them.

    `report` receives how many studies are judged and of how many, `failed` the studies that cannot be; without it the
    first error is raised. Raises `UsageError` without any study and for the same one twice, `InputError` where none is
    left.
    """
    given: Sequence[str | None] = names or [None] * len(sources)
    rows = [
        *(ManifestRow(path=Path(path), name=name) for path, name in zip(sources, given, strict=True)),
        *(() if manifest is None else read_manifest(Path(manifest)).rows),
    ]
    paths = [str(path) for path in (*labelled, *(row.path for row in rows))]
    if not rows:
        raise UsageError("no study to order; expected DICOM folders, zips or NIfTI files, or a manifest of them")
    if len({str(Path(path).resolve()) for path in paths}) < len(paths):
        raise UsageError("a study is given twice; expected each once, and none of the labelled ones among the others")
    check_memory(similarity_bytes(len(paths)), f"the comparison of {len(paths)} studies with each other")
    titles = [*study_names([ManifestRow(path=Path(path)) for path in labelled]), *study_names(rows)]
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
        raise InputError(f"none of {len(rows)} studies could be judged; expected short-axis cines")
    return _ordered(judged, n_labelled, n)


def _ordered(judged: Sequence[_Judged], n_labelled: int, n: int | None) -> Ranking:
    features = np.stack([one.features for one in judged])
    doubts = np.array([1.0 if one.confidence is None else 1.0 - one.confidence for one in judged])
    order = order_representatives(features, doubts, known=range(n_labelled), n=n)
    return Ranking(
        RankedStudy(
            rank=place,
            name=judged[index].name,
            path=judged[index].path,
            gain=gain,
            confidence=judged[index].confidence,
        )
        for place, (index, gain) in enumerate(order, 1)
    )


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
