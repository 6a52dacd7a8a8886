"""The list of kept elements names real ones, and none that PS3.15 would remove without an option that we claim."""

from __future__ import annotations

from pydicom.datadict import dictionary_VR, tag_for_keyword

from cinema_cmr.interop.kept_elements import KEPT, WORDS, Rule

TEXT = {"LO", "SH", "LT", "ST", "UT", "UC", "UR", "PN", "AE"}


def test_every_keyword_is_an_element() -> None:
    assert [name for name in (*KEPT, *WORDS) if tag_for_keyword(name) is None] == []
    assert not set(KEPT) & set(WORDS)


def test_free_text_is_kept_as_listed_words_only() -> None:
    assert [name for name in KEPT if dictionary_VR(tag_for_keyword(name)) in TEXT] == []
    dates = [name for name in KEPT if dictionary_VR(tag_for_keyword(name)) in {"DA", "DT", "TM"}]
    assert {KEPT[name] for name in dates} == {Rule.TIME, Rule.DATETIME}
    uids = [name for name in KEPT if dictionary_VR(tag_for_keyword(name)) == "UI"]
    assert {name for name in uids if KEPT[name] is Rule.CLASS} == {"SOPClassUID"}
