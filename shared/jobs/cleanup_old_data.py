"""The payload of `cleanup-old-data`: how long what is over is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.envelope import Payload, WireModel
from shared.registry import JobType

Days = Annotated[int, Field(ge=1, le=36_500, strict=True)]


class Retention(WireModel):
    """For how many days what is over is kept; None keeps it for good.

    Jobs count from their end, webhook events from their receipt, mails from their sending, activity from when it
    occurred. `failed_jobs` are dead letters: until then they can be replayed.
    """

    completed_jobs: Days | None = 30
    cancelled_jobs: Days | None = 30
    failed_jobs: Days | None = 180
    webhook_events: Days | None = 90
    email_deliveries: Days | None = 365
    activity_logs: Days | None = 365


class CleanupOldData(Payload, type=JobType.CLEANUP_OLD_DATA):
    """Delete what is past its retention, and the files of exports and reports that have expired.

    With an `organization_id` only that organization's. `archive` keeps what is deleted as files in S3; `dry_run` counts
    and deletes nothing. `carried` is what earlier jobs of the same chain have deleted: leave it to them.

        CleanupOldData(retention=Retention(activity_logs=90, failed_jobs=None), archive=True)
    """

    retention: Retention = Retention()
    archive: bool = False
    dry_run: bool = False
    carried: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
