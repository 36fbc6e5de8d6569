"""The whole of a fanned-out job: what stands on each platform once all of them have ended."""

from __future__ import annotations

from functions.syndicate_listing import standings
from functions.syndicate_listing.standings import Request, Standing, requested_at
from shared.envelope import WireModel
from shared.job import Job
from shared.jobs.syndicate_listing import Platform, SyndicateListing, SyndicationAction
from shared.outcomes import Fail
from shared.rows import BatchMember

_NO_WORDS = "the job ended without saying why"


class PlatformSummary(WireModel):
    """How the job for one platform ended (`outcome`: completed, failed or cancelled), and how the listing stands there.

    With an `external_id` the platform has it, perhaps an earlier version of it.
    """

    outcome: str
    status: str | None
    external_id: str | None
    external_url: str | None
    error: str | None


class SyndicationSummary(WireModel):
    """The result of the job that sums up; `failed` names the platforms that are to be seen to."""

    listing_id: int
    action: SyndicationAction
    failed: list[Platform]
    platforms: dict[Platform, PlatformSummary]


def summarize(job: Job[SyndicateListing], organization_id: int) -> SyndicationSummary | Fail:
    """Sum up. Writes the errors of jobs that ended without a word of their own: timed out, crashed, undeliverable."""
    members = job.batch()
    if not members:
        return Fail("summarize is for the job that the fan-out enqueues; leave it out")
    # The batch lists its members in the order in which they were enqueued, which is the payload's.
    by_platform = dict(zip(job.payload.platforms, members, strict=True))
    with job.transaction() as connection:
        for platform, member in sorted(by_platform.items()):
            if member.status == "failed":
                request = _request(job, organization_id, platform, member)
                standings.write_failure(connection, request, _error(platform, member))
        standing = standings.find_all(connection, job.payload.listing_id, organization_id)
    return SyndicationSummary(
        listing_id=job.payload.listing_id,
        action=job.payload.action,
        failed=[platform for platform, member in by_platform.items() if member.status == "failed"],
        platforms={
            platform: _summary(member, standing.get(platform)) for platform, member in by_platform.items()
        },
    )


def _request(
    job: Job[SyndicateListing], organization_id: int, platform: Platform, member: BatchMember
) -> Request:
    at = requested_at(job.payload, job.created_at)
    return Request(organization_id, job.payload.listing_id, platform, member.job_id, at)


def _error(platform: Platform, member: BatchMember) -> str:
    return (member.error or _NO_WORDS).removeprefix(f"{platform.value}: ")


def _summary(member: BatchMember, standing: Standing | None) -> PlatformSummary:
    return PlatformSummary(
        outcome=member.status,
        status=None if standing is None else standing.status,
        external_id=None if standing is None else standing.external_id,
        external_url=None if standing is None else standing.external_url,
        error=member.error,
    )
