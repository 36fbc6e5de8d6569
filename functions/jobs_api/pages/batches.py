"""Batches, and one with its jobs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.pages.asked import read_id
from functions.jobs_api.reading.batches import find_batch, list_batches
from functions.jobs_api.reading.listing import list_jobs
from functions.jobs_api.rendering import html
from functions.jobs_api.shapes import Filters

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]


@router.get("/batches", include_in_schema=False)
def get_batches() -> Response[Any]:
    """A page of them, newest first."""
    before = (router.current_event.query_string_parameters or {}).get("before")
    return html("batches.html", page=list_batches(current(), before=None if not before else _id(before)))


@router.get("/batches/<batch_id>", include_in_schema=False)
def get_batch(batch_id: str) -> Response[Any]:
    """One batch, with a page of its jobs."""
    caller, asked = current(), _id(batch_id)
    query = router.current_event.query_string_parameters or {}
    batch = find_batch(caller, asked)
    page = list_jobs(caller, Filters(batch_id=asked), cursor=query.get("cursor") or None)
    return html("batch.html", batch=batch, page=page)


def _id(text: str) -> UUID:
    return read_id(text, "batch")
