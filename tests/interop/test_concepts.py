"""Codes agree with pydicom's own copy of PS3.16."""

from __future__ import annotations

import pytest
from pydicom.sr._concepts_dict import concepts

from cinema_cmr.core.errors import UnknownNameError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES
from cinema_cmr.interop.concepts import AHA_SITES, END_DIASTOLE, MITRAL_ANNULUS_MEDIAL, Concept, segment_concepts, ucum
from cinema_cmr.measure.shape import AHA_SEGMENTS


def standard_meanings(concept: Concept) -> set[str]:
    """Meanings of a code in PS3.16, in lower case."""
    found = (entry.get(concept.value) for entry in concepts[concept.scheme].values())
    return {one[0].lower() for one in found if one}


@pytest.mark.parametrize("number", AHA_SEGMENTS)
def test_every_wall_segment_has_the_code_of_its_name(number: int) -> None:
    assert f"left ventricle {AHA_SEGMENTS[number]} segment" in standard_meanings(AHA_SITES[number])


def test_phases_and_sites_are_of_the_standard() -> None:
    assert "end diastole" in standard_meanings(END_DIASTOLE)
    assert "medial mitral annulus" in standard_meanings(MITRAL_ANNULUS_MEDIAL)


@pytest.mark.parametrize("scheme", LABEL_SCHEMES)
def test_every_class_of_every_mask_is_a_segment_of_its_own(scheme: str) -> None:
    segments = segment_concepts(scheme)
    assert list(segments) == list(LABEL_SCHEMES[scheme])
    assert len({one.label for one in segments.values()}) == len(segments)
    assert all(len(one.label) <= 64 and len(one.description) <= 64 for one in segments.values())


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown unit 'furlong'"):
        ucum("furlong")
