"""A linear model of disease groups on measurements: a readable table of weights, kept as JSON beside its card.

For research only: it tells which group of its training data the numbers resemble, not what a patient has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.results import DiseaseClassification
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.disease.features import FEATURES, DiseaseFeatures
from cinema_cmr.io.atomic import write_text

__all__ = ["DISEASE_FILE", "DISEASE_NOTICE", "EMBEDDED_DISEASE_MODEL", "DiseaseModel", "load_disease_model"]

DISEASE_FILE = "disease.json"
EMBEDDED_DISEASE_MODEL = "cinema-disease"

DISEASE_NOTICE = (
    "For research use only. Which group of the training data these measurements resemble; "
    "not a diagnosis, and blind to every disease that is not in the list."
)

_FORMAT = 1
_FAR_SD = 4.0
"""Standard deviations from the training patients' mean beyond which a measurement is called unlike them."""


@dataclass(frozen=True, kw_only=True)
class DiseaseModel:
    """Multinomial logistic regression; evaluated with numpy alone."""

    name: str
    groups: tuple[str, ...]
    titles: Mapping[str, str]
    """Group -> its name in words."""
    features: tuple[str, ...]
    mean: tuple[float, ...]
    """Of each feature over the training patients."""
    scale: tuple[float, ...]
    """Standard deviation of each."""
    weights: tuple[tuple[float, ...], ...]
    """(groups, features), of standardised features."""
    bias: tuple[float, ...]
    temperature: float = 1.0
    """What logits are divided by, so that confidence is as large as accuracy."""
    licence: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Data, citation, split, seed, versions, and the scores."""
    notice: str = DISEASE_NOTICE
    format: int = _FORMAT

    def __post_init__(self) -> None:
        n, k = len(self.features), len(self.groups)
        sizes = (len(self.mean), len(self.scale), len(self.bias), *(len(row) for row in self.weights))
        if sizes != (n, n, k, *(n,) * k):
            raise UsageError(
                f"disease model '{self.name}' has parts of sizes {sizes}; expected {n} features, {k} groups"
            )
        if min(self.scale) <= 0 or self.temperature <= 0 or self.format != _FORMAT:
            raise UsageError(f"disease model '{self.name}' has a scale or temperature not above 0, or another format")

    @property
    def sha256(self) -> str:
        """Hash of all of it, to tell the results of one model from those of another."""
        return hashlib.sha256(json.dumps(to_dict(self, "disease model"), sort_keys=True).encode()).hexdigest()

    def logits(self, features: Mapping[str, float]) -> NDArray[np.float64]:
        """(groups,) before the temperature."""
        return np.asarray(np.array(self.weights) @ self._standard(features) + np.array(self.bias))

    def classification(self, found: DiseaseFeatures) -> DiseaseClassification:
        """Probabilities of the groups and what speaks for the first of them; none where a feature is absent."""
        if found.reason is not None:
            return DiseaseClassification(reason=found.reason, model=self.name, notice=self.notice)
        logits = self.logits(found.values) / self.temperature
        probs = np.exp(logits - logits.max())
        probs /= probs.sum()
        order = np.argsort(-probs, kind="stable")
        standard, table = self._standard(found.values), np.array(self.weights) / self.temperature
        moves = (table[order[0]] - table[order[1]]) * standard
        return DiseaseClassification(
            probabilities={self.groups[i]: float(probs[i]) for i in order},
            contributions={self.features[i]: float(moves[i]) for i in np.argsort(-np.abs(moves), kind="stable")},
            features=dict(found.values),
            out_of_distribution=tuple(
                name for name, z in zip(self.features, standard, strict=True) if abs(z) > _FAR_SD
            ),
            titles={**self.titles, **{name: FEATURES[name] for name in self.features}},
            model=self.name,
            notice=self.notice,
        )

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the model as JSON, whole or not at all."""
        write_text(path, json.dumps(to_dict(self, "disease model"), indent=1) + "\n", overwrite=overwrite)

    def _standard(self, features: Mapping[str, float]) -> NDArray[np.float64]:
        given = np.array([features[name] for name in self.features])
        return np.asarray((given - np.array(self.mean)) / np.array(self.scale))


def load_disease_model(name: str = EMBEDDED_DISEASE_MODEL) -> DiseaseModel:
    """The model inside the package by its name, or one of `cinema disease` by its file or folder.

    Raises `WeightsError` for what is none.
    """
    where = Path(name)
    if name == EMBEDDED_DISEASE_MODEL:
        where = Path(str(files("cinema_cmr"))) / "weights" / name / DISEASE_FILE
    elif where.is_dir():
        where = where / DISEASE_FILE
    try:
        model = from_dict(DiseaseModel, json.loads(where.read_text(encoding="utf-8")), "disease model")
    except (OSError, ValueError, UsageError) as error:
        raise WeightsError(f"'{where.name}' is no disease model ({error}); make it with `cinema disease`") from error
    unknown = sorted(set(model.features) - set(FEATURES))
    if unknown:
        raise WeightsError(f"disease model '{model.name}' asks for {', '.join(unknown)}, which nobody measures here")
    return model
