"""What two results differ in beside their numbers: model, options, rules, and what a reader changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cinema_cmr.core.run_facts import OptionValue
from cinema_cmr.report.comparison.compared import ComparedSetting
from cinema_cmr.report.corrections import mask_lines, option_text, point_lines, rule_line
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.study_record import StudyRecord

__all__ = ["corrections_of", "differing_settings"]

_GIVEN = "given_"
"""Start of the options that are facts of the subject."""
_SHOWN_HASH = 12


def differing_settings(first: RunRecord, second: RunRecord) -> tuple[ComparedSetting, ...]:
    """Return what differs between two runs: the model, versions, and each option.

    Values that are facts of the subject are left out: that they differ is stated alone.
    """
    return (*_of_model(first, second), *_of_options(first.options, second.options))


def corrections_of(record: StudyRecord) -> tuple[str, ...]:
    """Return a sentence on each mask and rule that a reader changed, without times and facts of the subject."""
    if record.edits is None:
        return ()
    rules = [rule for rule in record.edits.rules if not _is_private(rule.name)]
    private = [rule.name for rule in record.edits.rules if _is_private(rule.name)]
    hidden = [f"Facts of the subject: {len(private)} changed."] if private else []
    return (*mask_lines(record.edits.masks), *point_lines(record.edits.points), *map(rule_line, rules), *hidden)


def _of_model(first: RunRecord, second: RunRecord) -> Iterator[ComparedSetting]:
    for name, own, other in (
        ("model", first.model.name, second.model.name),
        ("weights (SHA-256)", _short(first.model.hash), _short(second.model.hash)),
        ("inference settings", first.model.inference_settings, second.model.inference_settings),
        ("device", first.model.device, second.model.device),
        ("precision", first.model.precision, second.model.precision),
    ):
        if own != other:
            yield ComparedSetting(name=name, first=own, second=other)
    for name in sorted({*first.versions, *second.versions}):
        own, other = (run.versions.get(name) or "unknown" for run in (first, second))
        if own != other:
            yield ComparedSetting(name=f"version of {name}", first=own, second=other)


def _of_options(first: Mapping[str, OptionValue], second: Mapping[str, OptionValue]) -> Iterator[ComparedSetting]:
    for name in sorted({*first, *second}):
        own, other = first.get(name), second.get(name)
        if own != other:
            words = name.removeprefix(_GIVEN)
            texts = [_hidden(value) if _is_private(name) else option_text(value) for value in (own, other)]
            yield ComparedSetting(name=words, first=texts[0], second=texts[1])


def _is_private(name: str) -> bool:
    return name.startswith(_GIVEN)


def _hidden(value: OptionValue) -> str:
    return "not given" if value is None or value == "" else "given, another value"


def _short(digest: str | None) -> str:
    return digest[:_SHOWN_HASH] if digest else "unknown"
