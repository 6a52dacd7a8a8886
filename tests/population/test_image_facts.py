"""Fingerprints tell images apart and no patient; thumbnails show the heart."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from oracles import cine_of, heart
from PIL import Image
from pydicom import dcmread
from synthetic_dicom import written_stack

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.results import HeartLocation, Measurements, Prediction
from cinema_cmr.core.run_facts import RunFacts
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.population.image_facts import image_facts, outline_hash, thumbnail

LABELS = heart()
STUDY = Study(name="s", cines=(cine_of(LABELS),))


def test_equal_images_are_equal_and_near_ones_near() -> None:
    cine = STUDY.cines[0]
    same = Study(name="other", cines=(replace(cine, array=cine.array.copy()),))
    noisy = Study(name="n", cines=(replace(cine, array=cine.array + np.float32(0.01)),))
    one, two, three = (image_facts(study, Path("none")) for study in (STUDY, same, noisy))
    assert one == two
    assert one is not None and three is not None and one.pixels_sha256 != three.pixels_sha256
    assert one.outline == three.outline == outline_hash(cine.array[:, :, 1, 0])
    assert image_facts(Study(name="empty", cines=()), Path("none")) is None


def test_the_scanner_is_named_and_nothing_else(tmp_path: Path) -> None:
    written_stack(tmp_path, n_frames=2)
    path = sorted(tmp_path.rglob("*.dcm"))[0]
    dataset = dcmread(path)
    dataset.PatientName, dataset.Manufacturer, dataset.MagneticFieldStrength = "SECRET", "Maker", "1.5"
    dataset.save_as(path)
    facts = image_facts(STUDY, tmp_path)
    assert facts is not None and str(facts.scanner).startswith("Maker") and str(facts.scanner).endswith("1.5 T")
    assert "SECRET" not in str(facts)


def test_a_corrupt_header_leaves_the_scanner_unknown(tmp_path: Path) -> None:
    written_stack(tmp_path, n_frames=1)
    for path in tmp_path.rglob("*.dcm"):
        dataset = dcmread(path)
        dataset.MagneticFieldStrength = "1.5"
        dataset.save_as(path)
        stored = path.read_bytes()
        tag = b"\x18\x00\x87\x00"
        assert stored.count(tag + b"DS") == 1
        path.write_bytes(stored.replace(tag + b"DS", tag + b"D\xf5"))
    facts = image_facts(STUDY, tmp_path)
    assert facts is not None and facts.scanner is None


def test_the_thumbnail_shows_the_outlines() -> None:
    prediction = Prediction(
        view=View.SAX,
        labels=LabelMap(array=LABELS),
        confidence=np.ones(2, np.float32),
        location=HeartLocation(centre=(40.0, 30.0), method="given"),
    )
    run = RunFacts(model_name="m", model_hash=None, device="cpu", precision="fp32")
    analysis = Analysis(study=STUDY, predictions={View.SAX: prediction}, measurements=Measurements(), run=run)
    image = Image.open(io.BytesIO(thumbnail(analysis)))
    colours = {colour for _, colour in image.convert("RGB").getcolors(4096) or []}
    assert max(image.size) == 96 and (239, 68, 68) in colours and (59, 130, 246) in colours
    plane = replace(prediction, labels=LabelMap(array=np.where(LABELS == 1, 4, LABELS), scheme="chambers"))
    image = Image.open(io.BytesIO(thumbnail(replace(analysis, predictions={View.SAX: plane}))))
    assert (245, 158, 11) in {colour for _, colour in image.convert("RGB").getcolors(4096) or []}, "a left atrium"
    plain = Image.open(io.BytesIO(thumbnail(replace(analysis, predictions={}))))
    assert (239, 68, 68) not in {colour for _, colour in plain.convert("RGB").getcolors(4096) or []}
