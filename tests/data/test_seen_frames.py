"""Which patients a model has seen before: by their images, whatever they are called and however they are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from oracles import cine_of, heart, segmenter

from cinema_cmr.core.annotation import LabelMap
from cinema_cmr.core.card import ModelCard, SeenFrames, seen_facts
from cinema_cmr.core.errors import WeightsError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.seen_frames import RepeatedImages, SeenPatients, frame_hash, hashes_of, patients_seen

CARD = segmenter().card


def study_of(patient: str, radius: float, *, labelled: tuple[int, ...] = (0,)) -> AnnotatedStudy:
    """A patient whose heart has a size of its own, so that no two have the same images."""
    labels = heart((radius, radius - 5.0), n_slices=3)
    return AnnotatedStudy(
        study=Study(name=patient, cines=(cine_of(labels),)),
        patient=patient,
        labels={View.SAX: LabelMap(array=labels)},
        labelled_frames={View.SAX: labelled},
    )


def card_of(*, learned: frozenset[str] = frozenset(), chosen: frozenset[str] = frozenset()) -> ModelCard:
    return replace(CARD, training=seen_facts([SeenFrames(learned=learned, chosen=chosen)]))


def test_a_frame_is_the_same_in_any_order_of_axes_and_slices_and_with_margins() -> None:
    frame = np.random.default_rng(0).integers(0, 900, (20, 30, 4)).astype(np.int16)
    known = frame_hash(frame)
    assert len(known) == 12
    for other in (
        frame.astype(np.float64),
        frame[::-1, :, ::-1],
        frame.transpose(1, 0, 2),
        np.pad(frame, ((5, 5), (0, 9), (1, 0))),
    ):
        assert frame_hash(other) == known
    changed = frame.copy()
    changed[3, 4, 1] += 1
    assert frame_hash(changed) != known
    assert frame_hash(np.zeros((3, 3, 1))) == ""


def test_patients_are_known_by_their_images_whatever_their_names() -> None:
    learned, chosen = study_of("a", 22.0), study_of("b", 25.0)
    card = card_of(learned=hashes_of([learned], [View.SAX]), chosen=hashes_of([chosen], [View.SAX]))
    again = [replace(learned, patient="x"), replace(chosen, patient="y"), study_of("new", 28.0)]
    assert patients_seen(card, again) == SeenPatients(learned=("x",), chosen=("y",))
    assert patients_seen(card, [study_of("new", 28.0)]) == SeenPatients()
    assert patients_seen(CARD, again) is None  # it does not say


def test_the_first_and_the_labelled_frames_count_of_the_model_s_views_alone() -> None:
    study = study_of("a", 22.0, labelled=(1,))
    array = study.study.cine(View.SAX).array
    expected = {frame_hash(array[..., frame]) for frame in (0, 1)}
    assert hashes_of([study], [View.SAX]) == expected
    assert len(expected) == 2
    assert hashes_of([study], [View.LAX_4C]) == frozenset()


def test_a_patient_with_a_learned_and_a_choosing_study_is_named_once() -> None:
    first, second = study_of("a", 22.0), study_of("a", 25.0)
    card = card_of(learned=hashes_of([second], [View.SAX]), chosen=hashes_of([first], [View.SAX]))
    assert patients_seen(card, [first, second]) == SeenPatients(learned=("a",))


def test_facts_of_several_models_are_joined_and_what_was_learned_is_not_listed_again() -> None:
    one, two = SeenFrames(learned=frozenset("ab")), SeenFrames(learned=frozenset("c"), chosen=frozenset("ad"))
    facts = seen_facts([one, None, two])
    assert facts == {"seen": {"learned": "a b c", "chosen": "d"}}
    assert replace(CARD, training=facts).seen_frames == SeenFrames(learned=frozenset("abc"), chosen=frozenset("d"))
    assert seen_facts([None]) == {}


@pytest.mark.parametrize("stated", ["abc", {"learned": "abc"}, {"learned": ["abc"], "chosen": ""}])
def test_a_card_of_another_form_is_an_error_that_says_so(stated: object) -> None:
    with pytest.raises(WeightsError, match="'oracle' states in another form which frames it has seen"):
        patients_seen(replace(CARD, training={"seen": stated}), [study_of("a", 22.0)])


@pytest.mark.parametrize(
    ("seen", "facts"),
    [
        (SeenPatients(learned=("a", "b")), "M has learned from 2"),
        (SeenPatients(chosen=("c",)), "weights or settings of M were chosen on 1"),
        (
            SeenPatients(learned=("a",), chosen=("c",)),
            "M has learned from 1, and its weights or settings were chosen on 1",
        ),
    ],
)
def test_what_is_said_of_it(seen: SeenPatients, facts: str) -> None:
    assert seen.sentence("M", 9) == f"of the 9 patients here {facts}: expect it to do worse on new ones"


def test_of_new_patients_nothing_is_said() -> None:
    assert SeenPatients().sentence("M", 9) == ""
    assert SeenPatients(learned=("a",)).sentence("M", 1).startswith("of the 1 patient here M")


def test_a_patient_with_the_images_of_an_earlier_one_is_remarked() -> None:
    """As patient074 and patient076 of ACDC, whose masks alone differ."""
    first, second = study_of("a", 22.0), study_of("b", 25.0)
    redrawn = replace(first, patient="c", labels=second.labels)
    repeated = RepeatedImages()
    remarks = [repeated.remark(study) for study in (first, second, first, redrawn)]
    assert remarks[:3] == ["", "", ""], "a patient's own images are no other's"
    assert remarks[3].startswith("its images are those of a too: one patient under two names counts twice")
