"""Jobs: enqueue, read, list, count, cancel, retry; and many at once."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter
from pydantic import Field

from functions.jobs_api.access.callers import current
from functions.jobs_api.acting import bulk, jobs
from functions.jobs_api.api.app import JSON
from functions.jobs_api.reading.details import show_job
from functions.jobs_api.reading.listing import LIMIT, MOST, count_jobs, list_jobs
from functions.jobs_api.shapes import (
    Accepted,
    BulkCancelRequest,
    BulkRequest,
    BulkResult,
    CancelRequest,
    Count,
    Done,
    EnqueueRequest,
    Filters,
    Job,
    JobPage,
    RetryRequest,
)

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
JobId = Annotated[UUID, Path(description="The job's id.")]


class ListQuery(Filters):
    """Filters, and which page."""

    limit: int = Field(LIMIT, ge=1, le=MOST, description="Jobs a page.")
    cursor: str | None = Field(None, max_length=100, description="What the page before answered as `next`.")

    @property
    def filters(self) -> Filters:
        """The filters alone."""
        return Filters.model_validate(self.model_dump(include=set(Filters.model_fields)))


@router.post(
    "/v1/jobs", responses={202: {"description": "Accepted: from now on it is never lost"}}, tags=["Jobs"]
)
def enqueue_job(request: Annotated[EnqueueRequest, Body()]) -> Response[Accepted]:
    """Enqueue a job."""
    job_id = jobs.enqueue(current(), request)
    return Response(202, JSON, Accepted(job_id=job_id))


@router.get("/v1/jobs", tags=["Jobs"])
def get_jobs(query: Annotated[ListQuery, Query()]) -> JobPage:
    """List jobs, newest first."""
    return list_jobs(current(), query.filters, query.limit, query.cursor)


@router.get("/v1/jobs/count", tags=["Jobs"])
def get_count(query: Annotated[Filters, Query()]) -> Count:
    """Count jobs: the preview of a bulk action."""
    return count_jobs(current(), query)


@router.post("/v1/jobs/replay", tags=["Many at once"])
def replay_jobs(request: Annotated[BulkRequest, Body()]) -> BulkResult:
    """Run dead letters again, all that fit."""
    return bulk.replay(current(), request)


@router.post("/v1/jobs/cancel", tags=["Many at once"])
def cancel_jobs(request: Annotated[BulkCancelRequest, Body()]) -> BulkResult:
    """Cancel jobs, all that fit."""
    return bulk.cancel(current(), request)


@router.get("/v1/jobs/<job_id>", tags=["Jobs"])
def get_job(job_id: JobId) -> Job:
    """Read one job."""
    return show_job(current(), job_id)


@router.post("/v1/jobs/<job_id>/cancel", tags=["Jobs"])
def cancel_job(job_id: JobId, request: Annotated[CancelRequest, Body()]) -> Done:
    """Cancel a job that has not ended."""
    jobs.cancel(current(), job_id, request.reason)
    return Done()


@router.post("/v1/jobs/<job_id>/retry", tags=["Jobs"])
def retry_job(job_id: JobId, request: Annotated[RetryRequest, Body()]) -> Done:
    """Run a failed or cancelled job again, with a corrected payload where one is given."""
    jobs.retry(current(), job_id, request.payload)
    return Done()
