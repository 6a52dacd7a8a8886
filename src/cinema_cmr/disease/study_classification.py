"""Disease classification of one study from its short-axis prediction."""

from __future__ import annotations

from cinema_cmr.core.results import DiseaseClassification, Measurements, Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.disease.features import disease_features
from cinema_cmr.disease.model import DiseaseModel

__all__ = ["classify_study"]


def classify_study(
    study: Study, prediction: Prediction | None, measurements: Measurements, model: DiseaseModel
) -> DiseaseClassification | None:
    """Classify a study; None where the model does not apply: without a short-axis mask of a cine."""
    if prediction is None or prediction.labels.scheme != "cine" or study.modality != "cine":
        return None
    return model.classify(disease_features(measurements, study[View.SAX], prediction.labels))
