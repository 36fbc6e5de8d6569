"""Batches, and their jobs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.reading import batches, listing
from functions.jobs_api.shapes import Batch, BatchPage, Filters, JobPage, OfOrganization, Status

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
BatchId = Annotated[UUID, Path(description="The batch's id.")]


@router.get("/v1/batches", tags=["Batches"])
def get_batches(
    limit: Annotated[int, Query(ge=1, le=batches.MOST)] = batches.LIMIT,
    before: Annotated[UUID | None, Query(description="What the page before answered as `next`.")] = None,
    organization_id: OfOrganization = None,
) -> BatchPage:
    """List batches, newest first."""
    return batches.list_batches(current(), limit, before, organization_id)


@router.get("/v1/batches/<batch_id>", tags=["Batches"])
def get_batch(batch_id: BatchId) -> Batch:
    """Read one batch."""
    return batches.find_batch(current(), batch_id)


@router.get("/v1/batches/<batch_id>/jobs", tags=["Batches"])
def get_batch_jobs(
    batch_id: BatchId,
    status: Annotated[Status | None, Query(description="Of this status alone.")] = None,
    limit: Annotated[int, Query(ge=1, le=listing.MOST)] = listing.LIMIT,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> JobPage:
    """List a batch's jobs, newest first."""
    caller = current()
    batches.find_batch(caller, batch_id)
    return listing.list_jobs(caller, Filters(batch_id=batch_id, status=status), limit, cursor)
