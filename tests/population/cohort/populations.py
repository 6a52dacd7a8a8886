"""A population on disk whose numbers are known."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from stub_works import record

from cinema_cmr.core.results import Flag
from cinema_cmr.core.study import Fact, Subject
from cinema_cmr.population.outcome import ImageFacts, StudyOutcome, outcome_archive
from cinema_cmr.population.outcome_store import OutcomeStore

N = 240


def facts_of(number: int) -> dict[str, Fact]:
    return {
        "sex": "FM"[number % 2],
        "age_years": 45.0 + number % 30,
        "group": "NOR" if number % 3 else "DCM",
        "dose": float(number % 10),
        "scan_date": f"20{18 + number % 2}-05-01",
    }


def values_of(number: int) -> dict[str, float | None]:
    """EDV grows by 2 ml a unit of dose, by 30 in DCM, by 40 in men."""
    facts, noise = facts_of(number), np.random.default_rng(number).normal(0, 1.0)
    edv = 110 + 40 * (facts["sex"] == "M") + 30 * (facts["group"] == "DCM") + 2 * float(str(facts["dose"])) + noise
    return {"lv_edv_ml": round(edv, 3), "lv_ef_percent": round(60 + noise, 3)}


def write_population(folder: Path, n: int = N) -> OutcomeStore:
    store, png = OutcomeStore(folder), io.BytesIO()
    Image.new("L", (8, 8), 90).save(png, "PNG")
    for number in range(n):
        put(store, f"s{number}", png.getvalue(), number)
    for name, reason in (("cut-1", "'cut-1.zip' is truncated"), ("cut-2", "'cut-2.zip' is truncated"), ("h", "late")):
        cause = "timeout" if name == "h" else "input"
        failed = StudyOutcome(name=name, settings="s", listing="l", cause=cause, reason=reason)  # type: ignore[arg-type]
        store.put(name, outcome_archive(failed, {}))
    store.pack()
    return store


def put(store: OutcomeStore, name: str, png: bytes, number: int) -> None:
    facts = facts_of(number)
    flags = (Flag(code="low-confidence", severity="error" if number == 7 else "warning", message="m"),)
    image = ImageFacts(
        pixels_sha256="same" if number in (3, 4) else f"{number}",
        outline=f"{0xABCD << 48 if number in (10, 11) else number * 0x9E3779B97F4A7C15 % (1 << 64):016x}",
        scanner="old" if number % 4 == 0 else "new",
    )
    subject = Subject(sex=facts["sex"], age_years=facts["age_years"])  # type: ignore[arg-type]
    made = record(name, values_of(number), flags if number % 40 == 7 else (), subject)
    outcome = StudyOutcome(name=name, settings="s", listing="l", facts=facts, record=made, image=image)
    store.put(name, outcome_archive(outcome, {"thumbnail.png": png}))
