"""Files given by view: FILE for the short axis, VIEW=FILE for another view."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View

__all__ = ["VIEW_FILE", "files_by_view"]

VIEW_FILE = "[VIEW=]FILE"


def files_by_view(values: Iterable[str]) -> dict[View, Path]:
    """Return view -> file of texts such as "lax_4c=mask.nii.gz"; a file alone is of the short axis.

    Raises `UsageError` for two files of one view, and for a name without a file.

    >>> list(files_by_view(["a.nii.gz", "lax_4c=b.nii.gz"]))
    [<View.SAX: 'sax'>, <View.LAX_4C: 'lax_4c'>]
    """
    found: dict[View, Path] = {}
    for value in values:
        name, sign, file = value.partition("=")
        view, path = (View(name), file) if sign and name in list(View) else (View.SAX, value)
        if not path or view in found:
            raise UsageError(f"'{value}' is given for the {view.title} view; expected one file for each view")
        found[view] = Path(path)
    return found
