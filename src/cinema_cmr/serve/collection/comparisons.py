"""Comparisons of two studies, or of model and reader of one: pages that are kept for a while."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from cinema_cmr.core.errors import UnknownNameError
from cinema_cmr.report.record.review import REVIEW_FILE
from cinema_cmr.serve.study_store import StudyStore

__all__ = ["Comparisons"]

_KEPT = 8
"""Pages that stay in memory; each takes a few MB."""


class Comparisons:
    """The latest comparisons, as `cinema compare` writes them."""

    def __init__(self, store: StudyStore) -> None:
        self._store = store
        self._pages: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def make(self, first: str, second: str | None) -> str:
        """Compare two studies by their keys, or for None the model and the reader of one; return the page's key.

        Results are brought up to date with the corrections before. Raises `UnknownNameError` for a key that is not
        listed, `UsageError` for one study given twice, and `InputError` for two that cannot be compared.
        """
        from cinema_cmr.pipeline.compare_results import compare_results, compare_with_model
        from cinema_cmr.report.comparison.comparison_page import comparison_page

        if second is None:
            folder = self._up_to_date(first)
            compared = self._store.use(first, lambda study: compare_with_model(folder))
        else:
            compared = compare_results(self._up_to_date(first), self._up_to_date(second))
        page, key = comparison_page(compared), secrets.token_hex(8)
        with self._lock:
            self._pages[key] = page
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return key

    def _up_to_date(self, key: str) -> Path:
        """Return the results of a study, with its corrections written; those without a review are as they were."""
        folder = self._store.library.folder(key)
        if (folder / REVIEW_FILE).is_file():
            self._store.use(key, self._store.bring_up_to_date)
        return folder

    def page(self, key: str) -> str:
        """Return a page; raises `UnknownNameError` for one that is no longer kept."""
        with self._lock:
            if key not in self._pages:
                raise UnknownNameError(
                    "no comparison has this key; expected one of the latest: compare the two once more"
                )
            return self._pages[key]
