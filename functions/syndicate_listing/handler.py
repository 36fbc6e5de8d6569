"""Sends a listing to the listing platforms, or takes it off them."""

from __future__ import annotations

from functions.syndicate_listing.one_platform import Syndicated, syndicate
from shared.envelope import WireModel
from shared.jobs.syndicate_listing import SyndicateListing
from shared.outcomes import Cancel, Fail, Retry
from shared.settings import AppSettings
from shared.worker import Job, job_worker


@job_worker(SyndicateListing, needs=[AppSettings])
def handler(job: Job[SyndicateListing]) -> WireModel | Syndicated | Cancel | Fail | Retry:
    """Serve one platform; or split several into a job each; or sum up how those have ended."""
    if job.organization_id is None:
        return Fail("a listing is an organization's: enqueue with organization_id")
    if job.payload.summarize:
        from functions.syndicate_listing.summary import summarize  # noqa: PLC0415  # one job of a batch

        return summarize(job, job.organization_id)
    if len(job.payload.platforms) > 1:
        from functions.syndicate_listing.fan_out import fan_out  # noqa: PLC0415  # brings the dispatcher

        return fan_out(job, job.organization_id)
    return syndicate(job, job.organization_id)
