"""Checks of a disease model, as `cinema weights verify` reports them."""

from __future__ import annotations

import math
from pathlib import Path

from cinema_cmr.core.errors import WeightsError
from cinema_cmr.disease.features import DiseaseFeatures
from cinema_cmr.disease.model import DISEASE_FILE, EMBEDDED_DISEASE_MODEL, load_disease_model
from cinema_cmr.models.catalogue import Check

__all__ = ["is_disease_model", "verify_disease_model"]


def is_disease_model(source: str) -> bool:
    """Return whether a name, file or folder is that of a disease model, readable or not."""
    path = Path(source)
    return source == EMBEDDED_DISEASE_MODEL or path.name == DISEASE_FILE or (path / DISEASE_FILE).is_file()


def verify_disease_model(source: str) -> list[Check]:
    """Check a disease model's file, numbers and licence, and its output for a mean patient.

    Never raises for a bad model: its faults are failed checks.
    """
    try:
        model = load_disease_model(source)
    except WeightsError as error:
        return [Check(name="loads", passed=False, found=str(error))]
    numbers = [*model.mean, *model.scale, *model.bias, *(x for row in model.weights for x in row)]
    finite = all(math.isfinite(x) for x in numbers)
    mean_patient = DiseaseFeatures(values=dict(zip(model.features, model.mean, strict=True)))
    probabilities = model.classify(mean_patient).probabilities or {}
    total = sum(probabilities.values())
    output = f"{len(probabilities)} probabilities with a sum of {total:.6f}"
    return [
        Check(name="hash", passed=True, found=f"SHA-256 {model.sha256}"),
        Check(name="finite", passed=finite, found=f"{len(numbers)} numbers, {'' if finite else 'not '}all finite"),
        Check(name="licence", passed=bool(model.licence), found=model.licence or "none stated"),
        Check(name="output", passed=math.isclose(total, 1.0, abs_tol=1e-9), found=output),
    ]
