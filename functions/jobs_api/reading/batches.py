"""Batches in pages, and one of them.

A batch may hold jobs of several organizations. A key bound to one sees those whose completion is that organization's
job, and of their members its own.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from functions.jobs_api.access.callers import Caller
from functions.jobs_api.errors import Refused
from functions.jobs_api.shapes import Batch, BatchPage
from functions.jobs_api.sql import statement
from shared import database

LIMIT, MOST = 50, 200


def list_batches(
    caller: Caller, limit: int = LIMIT, before: UUID | None = None, organization_id: int | None = None
) -> BatchPage:
    """A page of batches, newest first; `before` is the last one's id of the page before."""
    values = {"organization_id": caller.scoped(organization_id), "before": before, "limit": limit + 1}
    rows = database.run(lambda kept: kept.execute(statement("list_batches"), values).fetchall())
    batches = [_shown(row) for row in rows]
    following = str(batches[limit - 1].id) if len(batches) > limit else None
    return BatchPage(batches=batches[:limit], next=following)


def find_batch(caller: Caller, batch_id: UUID) -> Batch:
    """The batch. Raises Refused for none, and for one that the caller does not see."""
    row = database.run(lambda kept: kept.execute(statement("find_batch"), {"batch_id": batch_id}).fetchone())
    if row is None or not caller.sees(row["organization_id"]):
        raise Refused(404, f"there is no batch {batch_id}")
    return _shown(row)


def _shown(row: dict[str, Any]) -> Batch:
    return Batch.model_validate(row)
