"""HTTP: two studies beside each other, or model and reader of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse

from cinema_cmr.serve.collection.comparisons import Comparisons
from cinema_cmr.serve.guard import REPORT_POLICY
from cinema_cmr.serve.messages import ComparisonMessage, NewComparison
from cinema_cmr.serve.study_store import StudyStore

__all__ = ["comparisons_router"]

Key = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


def comparisons_router(store: StudyStore) -> APIRouter:
    """Return the routes of comparisons."""
    router = APIRouter(prefix="/api", tags=["comparisons"])
    comparisons = Comparisons(store)

    @router.post("/comparisons", status_code=201)
    def compare(given: NewComparison) -> ComparisonMessage:
        """Compare two studies, or model and reader of one, with results brought up to date; the latest are kept."""
        return ComparisonMessage(id=comparisons.make(given.first, given.second))

    @router.get("/comparisons/{key}", response_class=HTMLResponse)
    def show_comparison(key: Key) -> Response:
        """Return the page of a comparison, in a sandbox."""
        return HTMLResponse(comparisons.page(key), headers={"content-security-policy": REPORT_POLICY})

    return router
