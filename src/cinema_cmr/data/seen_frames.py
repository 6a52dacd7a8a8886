"""Frames that a model has seen, by hashes in its card: an evaluation can state which of its patients are no new ones.

The hash of a frame depends on its intensities alone: not on names, on the order of axes and slices, or on margins of
zeros. It says of a given image whether a model has seen it; nothing of the image can be recovered from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.card import ModelCard
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy

__all__ = ["RepeatedImages", "SeenPatients", "frame_hash", "hashes_of", "patients_seen"]

_DIGITS = 12
"""Hexadecimal digits of a hash: 100,000 frames share one with 100,000 others by chance once in 28,000 times."""


@dataclass(frozen=True, kw_only=True)
class SeenPatients:
    """Patients whose images a model has seen before, by name, each once."""

    learned: tuple[str, ...] = ()
    """Patients that the model, its start or a teacher was trained on."""
    chosen: tuple[str, ...] = ()
    """Others, on whose scores its weights or settings were chosen."""

    def sentence(self, model: str, n_patients: int) -> str:
        """Say how many of so many patients the model has seen, and what follows; empty if it has seen none."""
        facts = []
        if self.learned:
            facts.append(f"{model} has learned from {len(self.learned)}")
        if self.chosen:
            whose = "its weights or settings" if facts else f"weights or settings of {model}"
            facts.append(f"{whose} were chosen on {len(self.chosen)}")
        patients = "patient" if n_patients == 1 else "patients"
        return (
            f"of the {n_patients} {patients} here {', and '.join(facts)}: expect it to do worse on new ones"
            if facts
            else ""
        )


class RepeatedImages:
    """Finds, study by study, patients whose images those of another patient are too."""

    def __init__(self) -> None:
        self._patients: dict[str, str] = {}
        """Hash of a frame -> first patient with it."""

    def remark(self, annotated: AnnotatedStudy) -> str:
        """Say of which earlier patient the study has the images; empty if of none."""
        found = ""
        for frame in sorted(hashes_of([annotated], View)):
            first = self._patients.setdefault(frame, annotated.patient)
            if first != annotated.patient:
                found = first
        if not found:
            return ""
        return (
            f"its images are those of {found} too: one patient under two names counts twice, and must not be learned"
            " from in one part of a split and scored in another"
        )


def frame_hash(frame: NDArray[np.generic]) -> str:
    """Return the hash of one frame's intensities other than zero; empty for a frame of zeros."""
    values = np.sort(frame[frame != 0].astype("<f4"), axis=None)
    return hashlib.sha256(values.tobytes()).hexdigest()[:_DIGITS] if values.size else ""


def hashes_of(studies: Iterable[AnnotatedStudy], views: Iterable[View]) -> frozenset[str]:
    """Return the hashes of the studies' first and labelled frames in these views."""
    views = frozenset(views)
    found = set[str]()
    for annotated in studies:
        for cine in annotated.study.cines:
            if cine.view in views:
                frames = {0, *annotated.labelled_frames.get(cine.view, ())}
                found |= {frame_hash(cine.array[..., frame]) for frame in frames}
    return frozenset(found - {""})


def patients_seen(card: ModelCard, studies: Iterable[AnnotatedStudy]) -> SeenPatients | None:
    """Return which of the studies' patients a model has seen; None if its card does not state its frames."""
    seen = card.seen_frames
    if seen is None:
        return None
    learned, chosen = set[str](), set[str]()
    for annotated in studies:
        own = hashes_of([annotated], card.grids)
        if own & seen.learned:
            learned.add(annotated.patient)
        elif own & seen.chosen:
            chosen.add(annotated.patient)
    return SeenPatients(learned=tuple(sorted(learned)), chosen=tuple(sorted(chosen - learned)))
