"""What all evaluators share."""

from __future__ import annotations

import pytest
from oracles import annotated, heart, segmenter

from cinema_cmr.core.errors import UsageError
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.tasks.evaluator import Evaluator
from cinema_cmr.tasks.result import Result


class Constant(Evaluator):
    card = segmenter().card

    def not_scorable(self, annotated: AnnotatedStudy) -> str | None:
        return None

    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        return Result(study=annotated.study.name, patient=annotated.patient, scores={"one": 1.0})


def test_an_evaluator_summarises_over_patients_and_need_not_predict() -> None:
    study = annotated(heart(), "a")
    its = Constant()
    assert its.summarise([its.evaluate(study)] * 2).n_patients == 1
    with pytest.raises(UsageError, match="has no prediction for a study"):
        its.predict(study.study)
