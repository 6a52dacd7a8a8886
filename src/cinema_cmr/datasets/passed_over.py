"""Files of a user's folder that are not read, in one sentence with what to do about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

__all__ = ["passed_over"]

_READ = (".csv", ".json")
"""Tables of facts, statements of labels and landmarks; other ones are remarked upon where they are read."""
_FACTS = "info.cfg"
"""Height and weight beside an image, as ACDC and the phantoms have them (`io.info_cfg`)."""
_DATA_OF = {".raw": (".mhd", ".nhdr"), ".zraw": (".mhd",), ".gz": (".nhdr",), ".rec": (".par",)}
"""Files of voxels -> the header beside them under whose name they are read."""
_DICOM = re.compile(r"\.(dcm|ima|dicom)|\.?\d*")
_CONTOURS = (".cvi42wsx", ".xml", ".con", ".txt")
_MAX_KINDS = 4


def passed_over(paths: Sequence[Path], is_image: Callable[[Path], bool]) -> tuple[str, ...]:
    """Return a sentence on the files that are neither images, label maps nor tables, by suffix; none if all are read.

    `paths` are relative to the folder; hidden ones do not count.
    """
    names = {path.as_posix().lower() for path in paths}
    others = (path for path in sorted(paths) if not is_image(path) and not _is_read(path))
    found = [path for path in others if not _is_data_of_header(path, names)]
    if not found:
        return ()
    kinds = Counter(path.suffix.lower() or "no suffix" for path in found)
    listed = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common(_MAX_KINDS))
    more = f" and {len(kinds) - _MAX_KINDS} other kinds" if len(kinds) > _MAX_KINDS else ""
    commonest = kinds.most_common(1)[0][0]
    example = next(path for path in found if (path.suffix.lower() or "no suffix") == commonest)
    files = "1 file is" if len(found) == 1 else f"{len(found)} files are"
    return (f"{files} not read ({listed}{more}), e.g. '{example.name}'; {_advice(found)}",)


def _is_read(path: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.parts)
    return is_hidden or path.suffix.lower() in _READ or path.name.lower() == _FACTS


def _is_data_of_header(path: Path, names: set[str]) -> bool:
    plain = path.as_posix().lower().removesuffix(path.suffix.lower())
    headers = _DATA_OF.get(path.suffix.lower(), ())
    return any(plain.removesuffix(".raw") + header in names for header in headers)


def _advice(found: Iterable[Path]) -> str:
    dicom = any(_DICOM.fullmatch(path.suffix.lower()) or path.name.isdecimal() for path in found)
    contours = any(path.suffix.lower() in _CONTOURS for path in found)
    if dicom or contours:
        kind = "DICOM images" if dicom else "contours"
        return f"expected NIfTI, NRRD or MHA: for {kind} see `cinema datasets convert --study DICOM`"
    return "expected NIfTI, NRRD or MHA images and label maps, and a table *.csv"
