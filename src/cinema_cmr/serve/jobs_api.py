"""HTTP: send studies, follow them, cancel them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from cinema_cmr.files.leftovers import temporary_name
from cinema_cmr.serve.job_series import read_series, write_views
from cinema_cmr.serve.jobs import RESULTS, Job, JobStore
from cinema_cmr.serve.library import study_key
from cinema_cmr.serve.messages import ChosenViews, JobMessage, NewJob, SeriesMessage, Submission
from cinema_cmr.serve.queue import Queue

__all__ = ["jobs_router"]

Key = Annotated[str, Path(max_length=40)]


def jobs_router(store: JobStore, queue: Queue) -> APIRouter:
    """Return the routes of the queue."""
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])

    @router.get("")
    def list_jobs() -> list[JobMessage]:
        """List all studies that were sent, the oldest first."""
        return [_message(job, store, queue) for job in store.listed()]

    @router.post("", status_code=201)
    def create_job(new: NewJob) -> JobMessage:
        """Create a job that waits for its files."""
        return _message(store.create(new.name), store, queue)

    @router.get("/{key}")
    def show_job(key: Key) -> JobMessage:
        """Return the state of one job."""
        return _message(store.job(key), store, queue)

    @router.put("/{key}/files/{name:path}", status_code=204)
    async def send_file(key: Key, name: str, request: Request) -> Response:
        """Send one file of a study as the body; its name is its path in the study's folder."""
        path = await run_in_threadpool(store.new_file, key, name)
        draft = path.with_name(temporary_name())
        received = False
        try:
            with draft.open("wb") as stream:
                async for chunk in request.stream():
                    store.add_bytes(key, path, len(chunk))
                    await run_in_threadpool(stream.write, chunk)
            draft.replace(path)
            received = True
        finally:
            draft.unlink(missing_ok=True)
            store.end_file(key, path, received=received)
        return Response(status_code=204)

    @router.post("/{key}/submit")
    def submit_job(key: Key, given: Submission | None = None) -> JobMessage:
        """Put the study into the queue, after its last file."""
        job = store.submit(key, choose_views=given is not None and given.choose_views)
        queue.wake()
        return _message(job, store, queue)

    @router.delete("/{key}", status_code=204)
    def cancel_job(key: Key) -> Response:
        """Cancel a study that is not finished, and remove what was sent."""
        queue.cancel(key)
        return Response(status_code=204)

    _add_views(router, store, queue)
    return router


def _add_views(router: APIRouter, store: JobStore, queue: Queue) -> None:
    @router.get("/{key}/series")
    def show_series(key: Key) -> list[SeriesMessage]:
        """Return what the series of a study were recognised as, once they were read."""
        return read_series(store.folder(store.job(key).id))

    @router.put("/{key}/views")
    def choose_views(key: Key, given: ChosenViews) -> JobMessage:
        """Say what the series of a study that waits for it show, and put it into the queue."""
        with store.lock:
            if store.job(key).status == "choosing":
                write_views(store.folder(key), given.series)
            job = store.views_chosen(key)
        queue.wake()
        return _message(job, store, queue)


def _message(job: Job, store: JobStore, queue: Queue) -> JobMessage:
    progress = queue.progress(job.id)
    return JobMessage(
        id=job.id,
        name=job.name,
        status=job.status,
        stage=progress.stage,
        done=progress.done,
        total=progress.total,
        error=job.error,
        study=study_key(store.folder(job.id) / RESULTS) if job.status == "done" else None,
        created=job.created,
        n_files=job.n_files,
    )
