"""Statement of what the label maps of a folder hold, in `labels.json`: codes, drawn structures, empty slices.

```json
{"codes": {"1": "lv", "2": "myo", "4": "background"}, "empty_slices": "unknown"}
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cinema_cmr.core.errors import UsageError, unknown_name
from cinema_cmr.core.serialise import from_dict
from cinema_cmr.core.vocabulary import CHAMBER_LABELS, CINE_LABELS
from cinema_cmr.data.external_masks import parse_codes
from cinema_cmr.files.text import read_json

__all__ = ["LABELS_FILE", "LabelStatement", "read_label_statement"]

LABELS_FILE = "labels.json"

_CODES = {label.name: label.code for label in CHAMBER_LABELS}
_VENTRICLES = {label.name for label in CINE_LABELS}
_BACKGROUND = "background"


@dataclass(frozen=True, kw_only=True)
class LabelStatement:
    """Contents of `labels.json`; every key may be left out."""

    codes: Mapping[str, str] = field(default_factory=dict)
    """Code in the files -> structure: rv, myo, lv, la or ra, or background for what is none of them; empty for our
    codes, 1 rv, 2 myo, 3 lv, 4 la, 5 ra. Atria count in long-axis views alone.
    """
    drawn: tuple[str, ...] = ()
    """Structures that were drawn; empty for those of `codes`, or all. The others are unknown, not background."""
    empty_slices: Literal["background", "unknown"] = "background"
    """Slices of a labelled frame without any label: without the heart, or not looked at."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", {str(code): name.lower() for code, name in self.codes.items()})
        object.__setattr__(self, "drawn", tuple(name.lower() for name in self.drawn))
        for name in self.codes.values():
            if name not in (*_CODES, _BACKGROUND):
                raise unknown_name("structure", name, (*_CODES, _BACKGROUND))
        for name in self.drawn:
            if name not in _CODES:
                raise unknown_name("structure", name, _CODES)
        if not all(code.isdecimal() and int(code) > 0 for code in self.codes):
            raise UsageError(f"label codes {list(self.codes)}; expected whole numbers from 1 on")
        if self.codes and not set(self.drawn) <= set(self.codes.values()):
            missing = sorted(set(self.drawn) - set(self.codes.values()))
            raise UsageError(f"structures {missing} were drawn but have no code; expected a code for each: add them")

    @property
    def file_codes(self) -> dict[int, int]:
        """Code in the files -> our code; empty where they are ours."""
        return {int(code): _CODES.get(name, 0) for code, name in self.codes.items()}

    @property
    def structures(self) -> tuple[str, ...]:
        """Structures that were drawn, in the order of our codes; empty if all of the ventricles were, and atria where
        a label map has them."""
        named = set(self.drawn or self.codes.values()) - {_BACKGROUND}
        return () if named == set() or named >= _VENTRICLES else tuple(name for name in _CODES if name in named)

    def with_codes(self, words: Sequence[str]) -> LabelStatement:
        """Return the statement with codes such as "1=lv"; raises `UsageError` if it states other ones itself."""
        given = {str(code): name.lower() for code, name in parse_codes(words).items()}
        if self.codes and dict(self.codes) != given:
            raise UsageError(
                f"{LABELS_FILE} states the codes {dict(self.codes)}, --codes {given}; expected one statement: correct"
                " the file, or leave the option out"
            )
        return replace(self, codes=given)


def read_label_statement(folder: Path) -> LabelStatement:
    """Read `labels.json` of a folder; without the file our codes hold and all structures count as drawn.

    Raises `UnreadableFileError` for a file that is not JSON, `UsageError` for unknown keys and structures.
    """
    path = folder / LABELS_FILE
    if not path.exists():
        return LabelStatement()
    content = read_json(path)
    codes = content.get("codes", {}) if isinstance(content, dict) else {}
    if isinstance(codes, dict) and any(isinstance(name, int) for name in codes.values()):
        raise UsageError(
            f"{LABELS_FILE} has a number where a structure was expected; expected the code first, as"
            ' {"codes": {"1": "lv"}}: exchange code and name'
        )
    statement: LabelStatement = from_dict(LabelStatement, content, LABELS_FILE)
    return statement
