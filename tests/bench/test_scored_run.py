"""A run's record survives its file."""

from __future__ import annotations

import json
import math

from cinema_cmr.bench.scored_run import PatientValues, ScoredRun
from cinema_cmr.core.serialise import from_result, json_text


def test_an_undefined_value_is_null_in_the_file_and_read_as_nan() -> None:
    patients = (
        PatientValues(patient="p", values={"dice_lv": math.nan}),
        PatientValues(patient="q", target="DCM", values={"correct": 1.0}),
    )
    record = ScoredRun(
        model="m",
        hash="abc",
        n_steps=3,
        seconds=2.0,
        seconds_to_score=1.0,
        data="hearts",
        split_sha256="0",
        n_train_patients=5,
        patients=patients,
    )
    values = json.loads(json_text(record))
    assert values["patients"][0] == {"patient": "p", "target": None, "values": {"dice_lv": None}}
    read = from_result(ScoredRun, values)
    assert math.isnan(read.patients[0].values["dice_lv"]) and read.patients[1] == patients[1]
