"""HTTP: the list of studies, one study with its pixels and labels, and what a reader changes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from cinema_cmr.core.errors import MissingFileError
from cinema_cmr.core.serialise import Json
from cinema_cmr.core.vocabulary import View
from cinema_cmr.report.record.build import image_file
from cinema_cmr.serve.collection.exports import labelled_cases, list_csv, values_of
from cinema_cmr.serve.collection.reader_agreement import reader_agreement
from cinema_cmr.serve.document import flag_message, numbers_of, segments_of, study_document
from cinema_cmr.serve.guard import REPORT_POLICY
from cinema_cmr.serve.library import Listed, Unreadable
from cinema_cmr.serve.messages import AgreementMessage, Changes, Exported, Numbers, SegmentValues, SignOff, StudyRow
from cinema_cmr.serve.opened_study import OpenedStudy
from cinema_cmr.serve.server_settings import ServeSettings
from cinema_cmr.serve.study_store import StudyStore

__all__ = ["studies_router"]

Key = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Slice = Annotated[int, Path(ge=0, le=10_000)]


class _Block(Response):
    media_type = "application/octet-stream"


class _Png(Response):
    media_type = "image/png"


def studies_router(store: StudyStore, settings: ServeSettings) -> APIRouter:
    """Return the routes of the list and of single studies."""
    router = APIRouter(prefix="/api", tags=["studies"])
    _add_list(router, store, settings)
    _add_study(router, store)
    _add_changes(router, store)
    return router


def _add_list(router: APIRouter, store: StudyStore, settings: ServeSettings) -> None:
    @router.get("/studies")
    def list_studies() -> list[StudyRow]:
        """List all studies with results, also those that cannot be read, each with its error."""
        listed, damaged = store.library.entries()
        return [*(_row(one) for one in listed), *(_unreadable_row(one) for one in damaged)]

    @router.get("/studies.csv", response_class=PlainTextResponse)
    def list_as_csv() -> Response:
        """Return the list as CSV, the numbers of the model beside the corrected ones."""
        headers = {"content-disposition": 'attachment; filename="studies.csv"'}
        return PlainTextResponse(list_csv(*store.library.entries()), media_type="text/csv", headers=headers)

    @router.get("/agreement")
    def show_agreement() -> AgreementMessage:
        """Return the agreement of model and reader over all studies that were corrected or signed off."""
        return reader_agreement(store.library.listed())

    @router.post("/exports", status_code=201)
    def export_cases() -> Exported:
        """Write all corrected studies as labelled cases, into a new folder of the server's folder `exports`."""
        return labelled_cases(store.library.listed(), settings.home / "exports")


def _add_study(router: APIRouter, store: StudyStore) -> None:
    @router.get("/studies/{key}")
    def show_study(key: Key) -> dict[str, object]:
        """Return views, geometry, window and landmarks of a study."""
        document: dict[str, Json] = store.use(key, lambda study: study_document(study, key))
        return dict(document)

    @router.get("/studies/{key}/numbers")
    def show_numbers(key: Key, quick: bool = False) -> Numbers:
        """Return the measurements of the labels as they are; quick ones without flags."""
        return store.use(key, lambda study: numbers_of(study, quick=quick))

    @router.get("/studies/{key}/segments")
    def show_segments(key: Key) -> list[SegmentValues]:
        """Return the measurements of the 16 AHA segments."""
        return store.use(key, lambda study: segments_of(study.numbers().measured))

    @router.get("/studies/{key}/images/{view}/{index}", response_class=_Block)
    def show_image(key: Key, view: View, index: Slice) -> Response:
        """Return the pixels of one slice over time: int16 little-endian, (frame, row, column)."""
        return _Block(store.use(key, lambda study: study.slice_of(view, index).block(index)))

    @router.get("/studies/{key}/labels/{view}/{index}", response_class=_Block)
    def show_labels(key: Key, view: View, index: Slice, own: bool = False) -> Response:
        """Return the labels of one slice over time: uint8, (frame, row, column); the model's own if requested."""
        return _Block(store.use(key, lambda study: study.slice_of(view, index).label_block(index, own=own)))

    @router.get("/studies/{key}/thumbnail", response_class=_Png)
    def show_thumbnail(key: Key) -> Response:
        """Return a small picture as PNG."""
        return _Png(store.thumbnail(key))

    @router.get("/studies/{key}/report", response_class=HTMLResponse)
    def show_report(key: Key) -> Response:
        """Return the report, in a sandbox."""
        path = store.library.folder(key) / "report.html"
        if not path.is_file():
            raise MissingFileError("the study has no report.html; expected one: analyse it again")
        headers = {"content-security-policy": REPORT_POLICY}
        return HTMLResponse(path.read_bytes(), headers=headers)


def _add_changes(router: APIRouter, store: StudyStore) -> None:
    @router.post("/studies/{key}/opened", status_code=204)
    def note_opened(key: Key) -> Response:
        """Note that a reader has opened the study."""
        store.use(key, store.look_at)
        return Response(status_code=204)

    @router.post("/studies/{key}/changes")
    def change_study(key: Key, changes: Changes) -> Numbers:
        """Store corrected slices and frames; return the quick numbers."""

        def action(study: OpenedStudy) -> Numbers:
            store.change(study, changes)
            return numbers_of(study, quick=True)

        return store.use(key, action)

    @router.put("/studies/{key}/sign-off")
    def sign_off(key: Key, given: SignOff) -> Numbers:
        """Sign the study off, with report, JSON, CSV and masks brought up to date; or take that back."""

        def action(study: OpenedStudy) -> Numbers:
            store.sign_off(study, signed=given.signed_off, seen=given.seen)
            return numbers_of(study)

        return store.use(key, action)

    @router.post("/studies/{key}/results")
    def write_results(key: Key) -> Numbers:
        """Bring report, JSON, CSV and masks up to date with the corrections."""

        def action(study: OpenedStudy) -> Numbers:
            store.bring_up_to_date(study)
            return numbers_of(study)

        return store.use(key, action)


def _row(one: Listed) -> StudyRow:
    return StudyRow(
        id=one.key,
        name=one.record.study.name,
        modality=one.record.study.modality,
        state=one.state,
        values=values_of(one),
        flags=[flag_message(flag) for flag in one.record.flags],
        has_images=(one.folder / image_file(View.SAX)).is_file(),
        model=one.record.model.name,
        changed=one.review.history[-1].when if one.review.history else one.review.looked_at,
    )


def _unreadable_row(one: Unreadable) -> StudyRow:
    return StudyRow(
        id=one.key,
        name=one.name,
        modality="",
        state="unreadable",
        values={},
        flags=[],
        has_images=False,
        model="",
        changed=None,
        error=one.error,
    )
