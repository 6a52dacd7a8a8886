"""Words become hints, and what cannot be a cine has a reason."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage
from synthetic_dicom import new_image

from cinema_cmr.io.dicom.image_kind import claimed_kind, exclusion_reason, parse_hints

PIXELS = np.zeros((4, 6), np.uint16)


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("cine_trufi_retro 4CH", ("4ch",)),
        ("CINE_segmented_LAX_3Ch", ("3ch",)),
        ("LVOT cine", ("3ch",)),
        ("tf2d18_retro_iPAT_SA STACK", ("short axis",)),
        ("B-TFE_BH SAX", ("short axis",)),
        ("Cine RVOT", ("right ventricle",)),
        ("2 Chamber FIESTA", ("2ch",)),
        ("cine_2ch_RV", ("2ch", "right ventricle")),
        ("short axial", ("short axis",)),
        ("Axial cine", ("transverse",)),
        ("FLOW aorta", ("valve or vessel", "flow")),
        ("trufi retro", ()),
    ],
)
def test_hints_come_from_words_not_from_chance_letters(text: str, hints: tuple[str, ...]) -> None:
    assert parse_hints(text) == hints


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({}, None),
        ({"ImageType": ["DERIVED", "PRIMARY", "M"]}, None),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "RETRO"]}, "velocity"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER", "M"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "reformatted"),
        ({"ImageType": ["DERIVED", "PRIMARY", "M", "T1 MAP"]}, "map"),
        ({"ComplexImageComponent": "PHASE"}, "velocity"),
        ({"PhaseContrast": "YES"}, "flow"),
        ({"SequenceName": "*fl2d1_v150in"}, "flow"),
        ({"SequenceName": "*tfi2d1_10"}, None),
        ({"SeriesDescription": "cine_tagging_SA"}, "tagging"),
        ({"SeriesDescription": "TI_scout"}, "scout"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "capture"),
        ({"SOPClassUID": SecondaryCaptureImageStorage, "ImagePositionPatient": None}, "screen shot"),
        ({"Modality": "OT"}, "another modality"),
        ({"SOPClassUID": CTImageStorage, "Modality": "CT"}, "modality CT"),
        ({"SamplesPerPixel": 3}, "colour"),
    ],
)
def test_objects_that_cannot_be_a_cine_have_a_reason(tags: dict[str, object], word: str | None) -> None:
    image = new_image(PIXELS, **tags)
    reason = exclusion_reason(image) or claimed_kind(image) or None
    assert (reason is None) if word is None else (reason is not None and word in reason)
