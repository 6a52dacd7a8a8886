"""What a reader changed in an analysis, in the words of exported objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.edits import RuleChange
from cinema_cmr.core.vocabulary import View

__all__ = ["corrected_parts", "correction_notes", "is_mask_corrected"]

_PHASES = {"ed_frame": "end-diastole", "es_frame": "end-systole"}
"""Option that a reader chooses a frame with -> the phase."""
_GIVEN = "given_"
"""Start of the options of subject data."""


def is_mask_corrected(analysis: Analysis, view: View, frame: int) -> bool:
    """Return whether a reader corrected the mask of a view in a frame."""
    masks = analysis.edits.masks if analysis.edits else ()
    return any(edit.view == view and frame in edit.frames for edit in masks)


def corrected_parts(analysis: Analysis, view: View, frame: int) -> tuple[str, ...]:
    """Return what a reader corrected of a frame of a view: "mask", "phase", "landmarks"; empty for the model's own.

    The phase is that of a frame of the stack which was chosen as ED or ES; landmarks are those of any frame of the
    view, as motion is measured between frames.
    """
    edits = analysis.edits
    if edits is None:
        return ()
    chosen = {rule.now for rule in edits.rules if rule.name in _PHASES}
    found = {
        "mask": is_mask_corrected(analysis, view, frame),
        "phase": view is View.SAX and frame in chosen,
        "landmarks": any(edit.view == view for edit in edits.points),
    }
    return tuple(part for part, corrected in found.items() if corrected)


def correction_notes(analysis: Analysis) -> tuple[str, ...]:
    """Return a sentence on each view with a corrected mask or moved landmarks, and each frame or rule that was chosen.

    Empty for the model's own run, and after all corrections were taken back.
    """
    edits = analysis.edits
    if edits is None or not edits.is_corrected:
        return ()
    masks = (f"corrected {mask.view.title} mask in {_frames(mask.frames)}" for mask in edits.masks)
    return (*masks, *_landmark_notes(analysis), *map(_rule_note, edits.rules))


def _landmark_notes(analysis: Analysis) -> Iterator[str]:
    points = analysis.edits.points if analysis.edits else ()
    for view in sorted({one.view for one in points}):
        moved = [one for one in points if one.view == view]
        names = ", ".join(sorted({one.name.replace("_", " ") for one in moved}))
        yield f"corrected {view.title} landmarks ({names}) in {_frames({one.frame for one in moved})}"


def _rule_note(rule: RuleChange) -> str:
    """Say what was chosen; of subject data the name alone."""
    if rule.name.startswith(_GIVEN):
        return f"{rule.name.removeprefix(_GIVEN).replace('_', ' ')} was given by the reader"
    if rule.name not in _PHASES:
        return f"rule {rule.name} {rule.now}, by the reader; {rule.model} in the model's run"
    phase = _PHASES[rule.name]
    if rule.now is None:
        return f"corrected {phase}: found on the curves, by the reader; frame {rule.model} in the model's run"
    before = "found on the curves" if rule.model is None else f"frame {rule.model}"
    return f"corrected {phase}: frame {rule.now}, by the reader; {before} in the model's run"


def _frames(frames: Iterable[int]) -> str:
    numbers = sorted(frames)
    return f"frame{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
