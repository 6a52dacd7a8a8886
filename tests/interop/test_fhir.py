"""The FHIR bundle is valid R4, refers within itself, and has the numbers of the structured report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from interop_hearts import analysed, stack_cine, write_study

from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.interop.export import export_context
from cinema_cmr.interop.fhir import fhir_bundle
from cinema_cmr.interop.measurement_codes import coded_measurements
from cinema_cmr.io.dicom.writing.series import DicomShape


@pytest.mark.medium
def test_bundle(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED, identity=True)
    analysis = analysed(study)
    text = json.dumps(fhir_bundle(export_context(analysis, study)))
    bundle = json.loads(text)
    entries = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    observations = [one for one in entries.values() if one["resourceType"] == "Observation"]
    coded = coded_measurements(analysis.measurements.measured)
    assert [(one["valueQuantity"]["value"], one["valueQuantity"]["code"]) for one in observations] == [
        (one.value, one.unit.value) for one in coded
    ]
    references = [one["device"]["reference"] for one in observations]
    references += [one["derivedFrom"][0]["reference"] for one in observations]
    (report,) = [one for one in entries.values() if one["resourceType"] == "DiagnosticReport"]
    references += [one["reference"] for one in report["result"]]
    assert set(references) <= set(entries)
    assert NOTICE in report["conclusion"] and analysis.measurements.flags[0].message in report["conclusion"]
    assert {one["status"] for one in (*observations, report)} == {"preliminary"}
    assert "P-0017" in text and "Anna" not in text and "Müller" not in text and "1970" not in text


@pytest.mark.medium
def test_bundle_is_valid(tmp_path: Path) -> None:
    """R4B, which these resources share with R4."""
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    study = write_study(tmp_path / "study", stack_cine(), shape=DicomShape.ENHANCED)
    bundle = fhir_bundle(export_context(analysed(study), study))
    parsed = models.Bundle.model_validate_json(json.dumps(bundle))
    assert len(parsed.entry) == len(bundle["entry"])
    bundle["entry"][2]["resource"]["status"] = None
    with pytest.raises(ValueError, match="status"):
        models.Bundle.model_validate_json(json.dumps(bundle))
