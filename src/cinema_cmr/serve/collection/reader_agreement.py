"""Agreement of model and reader over all studies that a reader has corrected or signed off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cinema_cmr.core.vocabulary import View
from cinema_cmr.score.agreement import agreement
from cinema_cmr.score.overlap import dice_by_class
from cinema_cmr.serve.collection.exports import corrected_labels, fits, model_labels, values_of
from cinema_cmr.serve.document import own_values
from cinema_cmr.serve.library import Listed
from cinema_cmr.serve.messages import AgreementMessage, ValueAgreement

__all__ = ["reader_agreement"]

_COMPARED = (
    *(("lv_ef_percent", "LVEF", "%"), ("lv_edv_ml", "LV EDV", "ml"), ("lv_esv_ml", "LV ESV", "ml")),
    *(("lv_mass_g", "LV mass", "g"), ("rv_ef_percent", "RVEF", "%"), ("rv_edv_ml", "RV EDV", "ml")),
    *(("rv_esv_ml", "RV ESV", "ml"), ("mapse_mean_mm", "MAPSE", "mm")),
)


def reader_agreement(studies: Sequence[Listed]) -> AgreementMessage:
    """Return bias and limits of agreement, model minus reader, and the mean Dice of the corrected slices, of cines.

    A study that was signed off without a correction counts: the reader agreed. Values need two studies. Studies that do
    not fit their results (`exports.fits`), as those corrected elsewhere and not opened since, are left out and counted.
    """
    cines = [one for one in studies if one.record.study.modality == "cine"]
    reviewed = [one for one in cines if one.state in ("corrected", "signed off")]
    read = [one for one in reviewed if fits(one)]
    dice = [_dice(one) for one in read if any(each.view is View.SAX for each in one.review.slices)]
    structures = sorted({name for one in dice for name in one})
    return AgreementMessage(
        studies=len(read),
        corrected=sum(one.review.is_corrected for one in read),
        left_out=len(reviewed) - len(read),
        values=[found for name, title, unit in _COMPARED if (found := _value(read, name, title, unit)) is not None],
        dice={name: float(np.nanmean([one[name] for one in dice if name in one])) for name in structures},
    )


def _value(read: Sequence[Listed], name: str, title: str, unit: str) -> ValueAgreement | None:
    pairs = [(own_values(one.record).get(name), values_of(one).get(name)) for one in read]
    complete = [(model, reader) for model, reader in pairs if model is not None and reader is not None]
    if len(complete) < 2:
        return None
    found = agreement(*zip(*complete, strict=True))
    limits = (found.lower_limit, found.upper_limit)
    return ValueAgreement(title=title, unit=unit, n=found.n, bias=found.bias, lower=limits[0], upper=limits[1])


def _dice(one: Listed) -> dict[str, float]:
    """Return the Dice of each structure between model and reader, over the corrected slices of the stack."""
    model, reader = model_labels(one, View.SAX), corrected_labels(one, View.SAX)
    places = [(each.slice, each.frame) for each in one.review.slices if each.view is View.SAX]
    slices, frames = (list(indices) for indices in zip(*places, strict=True))
    scores = dice_by_class(model[:, :, slices, frames], reader[:, :, slices, frames])
    return {name: score for name, score in scores.items() if np.isfinite(score)}
