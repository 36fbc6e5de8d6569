"""The list of jobs, a job's page, and what can be done there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.access.requests import check_json
from functions.jobs_api.acting import jobs as acting
from functions.jobs_api.errors import Refused, refusal
from functions.jobs_api.pages.asked import read_filters, read_id
from functions.jobs_api.pages.gate import form
from functions.jobs_api.pages.links import links_of
from functions.jobs_api.pages.timeline import timeline
from functions.jobs_api.reading.actions import list_actions
from functions.jobs_api.reading.details import show_job
from functions.jobs_api.reading.listing import list_jobs
from functions.jobs_api.rendering import html, redirect
from functions.jobs_api.shapes import Job
from functions.jobs_api.wording import pretty
from shared.errors import InvalidJob
from shared.registry import JobType

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
STATUSES = ("pending", "processing", "retrying", "completed", "failed", "cancelled")
_NOTICES = {
    "cancelled": "The job is cancelled.",
    "retried": "The job runs again.",
    "corrected": "The payload was corrected, and the job was started again.",
}
_NOTED = 5
_OVER = {"completed", "cancelled"}  # a dead letter may be replayed meanwhile
_ENDED = _OVER | {"failed"}


@router.get("/jobs", include_in_schema=False)
def get_jobs() -> Response[Any]:
    """A page of the list, by the filters in the address."""
    query = router.current_event.query_string_parameters or {}
    asked = read_filters(query)
    page = list_jobs(current(), asked.filters, cursor=query.get("cursor") or None)
    return html(
        "jobs.html",
        status=400 if asked.problems else 200,
        asked=asked,
        page=page,
        types=[each.value for each in JobType],
        statuses=STATUSES,
        at_beginning=not query.get("cursor"),
    )


@router.get("/jobs/<job_id>", include_in_schema=False)
def get_job(job_id: str) -> Response[Any]:
    """A job's page."""
    notice = _NOTICES.get((router.current_event.query_string_parameters or {}).get("done", ""))
    return _page(_id(job_id), notice=notice)


@router.post("/jobs/<job_id>/cancel", include_in_schema=False)
def cancel_job(job_id: str) -> Response[Any]:
    """Cancel it, and show it."""
    acting.cancel(current(), found := _id(job_id), form().get("reason") or None)
    return redirect(f"/jobs/{found}?done=cancelled")


@router.post("/jobs/<job_id>/retry", include_in_schema=False)
def retry_job(job_id: str) -> Response[Any]:
    """Run it again, and show it."""
    acting.retry(current(), found := _id(job_id))
    return redirect(f"/jobs/{found}?done=retried")


@router.post("/jobs/<job_id>/correct", include_in_schema=False)
def correct_job(job_id: str) -> Response[Any]:
    """Run it again with another payload, or say what is wrong with it beside what was typed."""
    found, text = _id(job_id), form().get("payload", "")
    try:
        acting.retry(current(), found, check_json(text))
    except (InvalidJob, Refused) as error:
        known = refusal(error)
        if known is None or known.status != 400:
            raise
        return _page(found, typed=text, wrong=known, status=400)
    return redirect(f"/jobs/{found}?done=corrected")


def _page(job_id: UUID, *, status: int = 200, notice: str | None = None, typed: str | None = None,
          wrong: Refused | None = None) -> Response[Any]:  # fmt: skip
    caller = current()
    job = show_job(caller, job_id)
    return html(
        "job.html",
        status=status,
        job=job,
        attempts=timeline(job),
        links=links_of(job),
        may_change=_may_change(job),
        actions=list_actions(caller, target=str(job_id), limit=_NOTED).actions,
        editable=pretty(job.payload) if typed is None else typed,
        notice=notice,
        wrong=wrong,
    )


def _may_change(job: Job) -> bool:
    """Whether the page is worth renewing: for its own sake, or for that of the jobs it enqueued."""
    return job.status not in _OVER or any(child.status not in _ENDED for child in job.children)


def _id(text: str) -> UUID:
    return read_id(text, "job")
