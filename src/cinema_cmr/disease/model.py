"""A linear model of disease groups on measurements: a readable table of weights, stored as JSON with its card.

For research only: the result is the group of the training data that the measurements resemble, not a diagnosis.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinema_cmr.core.errors import UnreadableFileError, UsageError, WeightsError
from cinema_cmr.core.results import DiseaseClassification
from cinema_cmr.core.serialise import from_dict, to_dict
from cinema_cmr.disease.features import FEATURES, DiseaseFeatures
from cinema_cmr.files.text import read_json
from cinema_cmr.io.atomic import write_text

__all__ = ["DISEASE_FILE", "DISEASE_NOTICE", "EMBEDDED_DISEASE_MODEL", "DiseaseModel", "load_disease_model"]

DISEASE_FILE = "disease.json"
EMBEDDED_DISEASE_MODEL = "cinema-disease"

DISEASE_NOTICE = (
    "For research use only. Which group of the training data these measurements resemble; "
    "not a diagnosis, and no information on any disease that is not in the list."
)

_FORMAT = 1
_FAR_SD = 4.0
"""Standard deviations from the mean of the training patients beyond which a feature is out of distribution."""


@dataclass(frozen=True, kw_only=True)
class DiseaseModel:
    """Multinomial logistic regression, evaluated with numpy alone."""

    name: str
    groups: tuple[str, ...]
    titles: Mapping[str, str]
    """Group -> its name in words."""
    features: tuple[str, ...]
    mean: tuple[float, ...]
    """Mean of each feature over the training patients."""
    scale: tuple[float, ...]
    """Standard deviation of each feature over the training patients."""
    weights: tuple[tuple[float, ...], ...]
    """(groups, features), for standardised features."""
    bias: tuple[float, ...]
    temperature: float = 1.0
    """Divisor of the logits, which calibrates the confidence to the accuracy."""
    licence: str = ""
    training: Mapping[str, object] = field(default_factory=dict)
    """Data, citation, split, seed, versions and scores."""
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
            raise UsageError(
                f"disease model '{self.name}' has a scale of {min(self.scale)}, a temperature of {self.temperature} and"
                f" format {self.format}; expected values above 0 and format {_FORMAT}"
            )

    @property
    def sha256(self) -> str:
        """Hash of the whole model, which identifies it in results."""
        return hashlib.sha256(json.dumps(to_dict(self, "disease model"), sort_keys=True).encode()).hexdigest()

    def logits(self, features: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the (groups,) logits before the temperature."""
        return np.asarray(np.array(self.weights) @ self._standardise(features) + np.array(self.bias))

    def classify(self, features: DiseaseFeatures) -> DiseaseClassification:
        """Return the probabilities of the groups and the contributions to the first; none if a feature is absent."""
        if features.reason is not None:
            return DiseaseClassification(reason=features.reason, model=self.name, notice=self.notice)
        logits = self.logits(features.values) / self.temperature
        probs = np.exp(logits - logits.max())
        probs /= probs.sum()
        order = np.argsort(-probs, kind="stable")
        standard, table = self._standardise(features.values), np.array(self.weights) / self.temperature
        shifts = (table[order[0]] - table[order[1]]) * standard
        return DiseaseClassification(
            probabilities={self.groups[i]: float(probs[i]) for i in order},
            contributions={self.features[i]: float(shifts[i]) for i in np.argsort(-np.abs(shifts), kind="stable")},
            features=dict(features.values),
            out_of_distribution=tuple(
                name for name, z in zip(self.features, standard, strict=True) if abs(z) > _FAR_SD
            ),
            titles={**self.titles, **{name: FEATURES[name] for name in self.features}},
            model=self.name,
            notice=self.notice,
        )

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the model as JSON, completely or not at all."""
        write_text(path, json.dumps(to_dict(self, "disease model"), indent=1) + "\n", overwrite=overwrite)

    def _standardise(self, features: Mapping[str, float]) -> NDArray[np.float64]:
        given = np.array([features[name] for name in self.features])
        return np.asarray((given - np.array(self.mean)) / np.array(self.scale))


def load_disease_model(name: str = EMBEDDED_DISEASE_MODEL) -> DiseaseModel:
    """Load the embedded model by its name, or a model of `cinema disease` by its file or folder.

    Raises `WeightsError` for anything else.
    """
    path = Path(name)
    if name == EMBEDDED_DISEASE_MODEL:
        path = Path(str(files("cinema_cmr"))) / "weights" / name / DISEASE_FILE
    elif path.is_dir():
        path = path / DISEASE_FILE
    try:
        model = from_dict(DiseaseModel, read_json(path), "disease model")
    except (OSError, UnreadableFileError, UsageError) as error:
        raise WeightsError(
            f"'{path.name}' is not a disease model ({error}); expected the JSON of one: make it with `cinema disease`"
        ) from error
    if not all(scale > 0 for scale in model.scale):
        raise WeightsError(
            f"disease model '{model.name}' has a scale of 0 or below; expected standard deviations: fit it again"
        )
    unknown = sorted(set(model.features) - set(FEATURES))
    if unknown:
        raise WeightsError(
            f"disease model '{model.name}' has the unknown features {', '.join(unknown)}; expected features of this"
            " version: fit it again with `cinema disease`"
        )
    return model
