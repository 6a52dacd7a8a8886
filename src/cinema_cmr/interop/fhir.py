"""Measurements as a FHIR R4 bundle: an Observation each, with device and imaging study.

After HL7's mapping of DICOM SR measurements to FHIR (STU1): modifiers become components, the rule a note. Codes are
those of the structured report (`measurement_codes`), under the systems of https://terminology.hl7.org.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from cinema_cmr.core.serialise import Json
from cinema_cmr.core.vocabulary import NOTICE
from cinema_cmr.interop.concepts import BODY_SURFACE_AREA, CARDIAC_MRI, Concept
from cinema_cmr.interop.correction_notes import correction_notes
from cinema_cmr.interop.dicom_object import MANUFACTURER, MODEL, ObjectContext
from cinema_cmr.interop.measurement_codes import (
    CYCLE_POINT,
    INDEX,
    PAPILLARY_MUSCLE,
    CodedMeasurement,
    coded_measurements,
    uncoded_measurements,
)

__all__ = ["fhir_bundle"]

Resource = dict[str, Json]

_SYSTEMS: Mapping[str, str] = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
}
"""DICOM's abbreviation of a coding scheme -> its URI."""
_MR = Concept("MR", "DCM", "Magnetic Resonance")


def fhir_bundle(context: ObjectContext) -> Resource:
    """Return the bundle of an analysis: device, imaging study, observations, and a report that lists them.

    Observations are preliminary. Only the patient's identifier is given, as the reference that the standard asks for.
    """
    places = {name: _place(context, name) for name in ("device", "study", "report")}
    observations = [
        (_place(context, one.measurement.name), _observation(context, one, places))
        for one in coded_measurements(context.analysis.measurements.measured)
    ]
    entries = [
        (places["device"], _device(context)),
        (places["study"], _imaging_study(context)),
        *observations,
        (places["report"], _report(context, places, [place for place, _ in observations])),
    ]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": context.written.astimezone().isoformat(timespec="seconds"),
        "entry": [{"fullUrl": place, "resource": resource} for place, resource in entries],
    }


def _place(context: ObjectContext, name: str) -> str:
    """Return the URN of a resource: a function of the results, as UIDs are."""
    return f"urn:uuid:{uuid.UUID(int=int(context.uid('fhir', name).removeprefix('2.25.')))}"


def _concept(concept: Concept, text: str = "") -> Resource:
    coding: Json = [{"system": _SYSTEMS[concept.scheme], "code": concept.value, "display": concept.meaning}]
    return {"coding": coding, **({"text": text} if text else {})}


def _subject(context: ObjectContext) -> Resource:
    patient = context.files.identity()["PatientID"]
    return {"type": "Patient", **({"identifier": {"value": patient}} if patient else {"display": "not identified"})}


def _device(context: ObjectContext) -> Resource:
    run = context.run
    weights = [f"weights SHA-256 {run.model_hash}"] if run.model_hash else []
    versions: Json = [{"value": version} for version in (run.package_version or "unknown", *weights)]
    return {
        "resourceType": "Device",
        "manufacturer": MANUFACTURER,
        "deviceName": [{"name": f"{MODEL}, model {run.model_name}", "type": "model-name"}],
        "version": versions,
        "note": [{"text": NOTICE}],
    }


def _imaging_study(context: ObjectContext) -> Resource:
    return {
        "resourceType": "ImagingStudy",
        "status": "available",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{context.files.study_uid}"}],
        "modality": [{"system": _SYSTEMS["DCM"], "code": _MR.value, "display": _MR.meaning}],
        "subject": _subject(context),
    }


def _observation(context: ObjectContext, one: CodedMeasurement, places: Mapping[str, str]) -> Resource:
    code = one.code
    modifiers = (
        (CYCLE_POINT, code.phase),
        (INDEX, BODY_SURFACE_AREA if code.indexed else None),
        (PAPILLARY_MUSCLE, code.papillary),
    )
    components: Json = [
        {"code": _concept(name), "valueCodeableConcept": _concept(value)} for name, value in modifiers if value
    ]
    method: Resource = _concept(one.method, one.measurement.method) if one.method else {"text": one.measurement.method}
    quantity: Json = {
        "value": one.value,
        "unit": one.unit.meaning,
        "system": _SYSTEMS["UCUM"],
        "code": one.unit.value,
    }
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [{"coding": [{"system": category, "code": "imaging"}]}],
        "code": _concept(code.concept, one.measurement.title),
        "subject": _subject(context),
        "issued": context.written.astimezone().isoformat(timespec="seconds"),
        "device": {"reference": places["device"]},
        "derivedFrom": [{"reference": places["study"]}],
        "bodySite": _concept(code.site),
        "method": method,
        "valueQuantity": quantity,
        "note": [{"text": one.explanation}],
        **({"component": components} if components else {}),
    }


def _report(context: ObjectContext, places: Mapping[str, str], observations: list[str]) -> Resource:
    measurements = context.analysis.measurements
    flags = [f"{flag.severity}: {flag.code}: {flag.message}" for flag in measurements.flags]
    others = [f"{one.title}: {one.value:.6g} {one.unit}" for one in uncoded_measurements(measurements.measured)]
    sections = {
        "Corrected by a reader:": correction_notes(context.analysis),
        "Flags:": flags,
        "Without a code:": others,
    }
    parts = [NOTICE, *(line for title, lines in sections.items() if lines for line in (title, *lines))]
    return {
        "resourceType": "DiagnosticReport",
        "status": "preliminary",
        "code": _concept(CARDIAC_MRI),
        "subject": _subject(context),
        "imagingStudy": [{"reference": places["study"]}],
        "result": [{"reference": place} for place in observations],
        "conclusion": "\n".join(parts),
    }
