"""Several platforms: a job for each, so that one's outage is retried alone, and one that sums up."""

from __future__ import annotations

from uuid import UUID

from functions.syndicate_listing.errors import NotOnTheMarket
from functions.syndicate_listing.listing import find_listing
from functions.syndicate_listing.one_platform import on_the_market
from functions.syndicate_listing.standings import NO_LISTING, requested_at
from shared.dispatcher import JobRequest, enqueue_batch
from shared.envelope import WireModel
from shared.job import Job
from shared.jobs.syndicate_listing import Platform, SyndicateListing, SyndicationAction
from shared.outcomes import Cancel, Fail
from shared.settings import AppSettings


class FannedOut(WireModel):
    """The result of a job for several platforms: the jobs that do it, and the one whose result is the whole."""

    batch_id: UUID
    job_ids: dict[Platform, UUID]
    summary_job_id: UUID


def fan_out(job: Job[SyndicateListing], organization_id: int) -> FannedOut | Cancel | Fail:
    """Enqueue a job a platform and the summary, in the job's own transaction: a second run makes no second batch."""
    payload = job.payload
    with job.transaction() as connection:
        listing = find_listing(connection, payload.listing_id, organization_id, AppSettings.load().app_url)
        if listing is None:
            return Fail(NO_LISTING)
        try:
            if payload.action is not SyndicationAction.REMOVE:
                on_the_market(listing)
        except NotOnTheMarket as error:
            return Cancel(str(error))
        batch = enqueue_batch(
            [_request(job, platforms=[platform]) for platform in payload.platforms],
            then=_request(job, summarize=True),
            connection=connection,
        )
    return FannedOut(
        batch_id=batch.id,
        job_ids=dict(zip(payload.platforms, batch.job_ids, strict=True)),
        summary_job_id=batch.then_job_id,
    )


def _request(job: Job[SyndicateListing], **changes: object) -> JobRequest:
    """This job's payload with changes, for its owner, and as old as this job."""
    asked_at = requested_at(job.payload, job.created_at)
    payload = job.payload.model_copy(update={"requested_at": asked_at, **changes})
    return JobRequest(payload, user_id=job.user_id, organization_id=job.organization_id)
