"""How a measurement goes with a fact: an effect with its interval, adjusted for age and sex where they are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cinema_cmr.core.study import Fact
from cinema_cmr.population.cohort.centiles import Values

__all__ = ["Association", "associations"]

_FEWEST = 10
"""Studies more than coefficients, and studies of a group."""
_MOST_GROUPS = 12

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Association:
    """Difference of a measurement for a difference of a fact."""

    measurement: str
    unit: str
    contrast: str
    """What is compared: "DCM against NOR", or "per 1 of weight_kg"."""
    effect: float
    low: float
    high: float
    """95 % interval."""
    p_value: float
    n: int
    adjusted: str
    """Facts held constant."""


def associations(values: Values, fact: str, column: Sequence[Fact]) -> list[Association]:
    """Return the effect of a number, or of each group against the largest one; none where too few studies have both.

    Ordinary least squares; age and sex are held constant where most studies have them, unless they are the fact itself.
    """
    numeric = [value for value in column if value is not None]
    if numeric and all(isinstance(value, int | float) and not isinstance(value, bool) for value in numeric):
        x = np.array([np.nan if value is None else float(value) for value in column])
        return _fitted(values, fact, x[:, None], [f"per 1 of {fact}"])
    groups = [None if value is None else str(value) for value in column]
    counts = Counter(group for group, y in zip(groups, values.values, strict=True) if group and np.isfinite(y))
    named = [group for group, n in counts.most_common(_MOST_GROUPS) if n >= _FEWEST]
    if len(named) < 2:
        return []
    known = np.array([group in named for group in groups])
    dummies = np.array([[float(group == other) for other in named[1:]] for group in groups])
    dummies[~known] = np.nan
    return _fitted(values, fact, dummies, [f"{other} against {named[0]}" for other in named[1:]])


def _fitted(values: Values, fact: str, predictors: Array, contrasts: Sequence[str]) -> list[Association]:
    columns, adjusted = [predictors], []
    for name, covariate in _covariates(values).items():
        if name != fact and np.isfinite(covariate).mean() > 0.5 and np.nanstd(covariate) > 0:
            columns.append(covariate[:, None])
            adjusted.append(name.removesuffix("_years"))
    design = np.hstack([np.ones((len(values.values), 1)), *columns])
    chosen = np.isfinite(design).all(axis=1) & np.isfinite(values.values)
    x, y = design[chosen], values.values[chosen]
    free = len(y) - x.shape[1]
    if free < _FEWEST or np.linalg.matrix_rank(x) < x.shape[1]:
        return []
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    error = np.sqrt(np.diag(inverse) * ((y - x @ beta) ** 2).sum() / free)
    reach = stats.t.ppf(0.975, free)
    return [
        Association(
            measurement=values.name,
            unit=values.unit,
            contrast=contrast,
            effect=float(beta[i]),
            low=float(beta[i] - reach * error[i]),
            high=float(beta[i] + reach * error[i]),
            p_value=float(2 * stats.t.sf(abs(beta[i]) / error[i], free)) if error[i] > 0 else 0.0,
            n=len(y),
            adjusted=", ".join(adjusted),
        )
        for i, contrast in enumerate(contrasts, 1)
    ]


def _covariates(values: Values) -> dict[str, Array]:
    sex = np.array([{"F": 0.0, "M": 1.0}.get(str(one), np.nan) for one in values.sex])
    return {"age_years": values.age, "sex": sex}
