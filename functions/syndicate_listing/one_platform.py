"""What a job does for one platform: take its turn, send the listing as it is now, write how it stands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

from psycopg.errors import LockNotAvailable

from functions.syndicate_listing import messages, standings
from functions.syndicate_listing.accounts import account_of
from functions.syndicate_listing.errors import (
    NoSuchListing,
    NotOnTheMarket,
    Overtaken,
    PlatformNotConfigured,
    PlatformRefused,
    PlatformUnavailable,
)
from functions.syndicate_listing.listing import Listing, find_listing
from functions.syndicate_listing.platforms import adapter_of
from functions.syndicate_listing.platforms.adapter import missing
from functions.syndicate_listing.sending import Message, send
from functions.syndicate_listing.standings import Request, Standing
from shared import database, secrets
from shared.database import Connection
from shared.envelope import WireModel
from shared.job import Job
from shared.jobs.syndicate_listing import Platform, SyndicateListing, SyndicationAction
from shared.outcomes import Cancel, Fail, Retry
from shared.settings import AppSettings

_TURN_SECONDS = 10  # after which a job that could not get its turn tries again
_UNAUTHORIZED = frozenset({401, 403})


class Syndicated(WireModel):
    """The result for one platform. `unchanged`: it had this very feed already, and nothing was sent."""

    platform: Platform
    status: str
    external_id: str | None
    external_url: str | None
    unchanged: bool = False


def syndicate(job: Job[SyndicateListing], organization_id: int) -> Syndicated | Cancel | Fail | Retry:
    """Bring the payload's one platform up to date with the listing, or take the listing off it."""
    request = Request.of(job, organization_id, job.payload.platforms[0])
    try:
        return _in_turn(job, request)
    except NoSuchListing as error:
        return Fail(str(error))
    except (NotOnTheMarket, Overtaken) as error:
        return Cancel(str(error))
    except LockNotAvailable:
        return Retry(_TURN_SECONDS, f"another job is sending this listing to {request.platform.value}")
    except (PlatformRefused, PlatformNotConfigured) as error:
        return Fail(_made_visible(request, error))
    except PlatformUnavailable as error:
        words = _made_visible(request, error)
        if error.retry_after is None:
            raise PlatformUnavailable(words) from error  # QStash backs off
        return Retry(error.retry_after, words)


def on_the_market(listing: Listing) -> None:
    """Raise NotOnTheMarket unless the listing may be advertised."""
    if listing.status != "active":
        raise NotOnTheMarket(f"the listing is {listing.status}, and only an active one is advertised")


def _in_turn(job: Job[SyndicateListing], request: Request) -> Syndicated:
    before, listing = database.run(lambda connection: _begin(connection, job, request))
    with job.transaction() as connection:
        standings.take_turn(connection, request)
        change = _remove if job.payload.action is SyndicationAction.REMOVE else _publish
        after = change(job, listing, before)
        standings.write(connection, request, after)
    return Syndicated(
        platform=request.platform,
        status=after.status,
        external_id=after.external_id,
        external_url=after.external_url,
        unchanged=after is before,
    )


def _begin(connection: Connection, job: Job[SyndicateListing], request: Request) -> tuple[Standing, Listing]:
    """Mark the row, for good, before anything is sent; how it stood before, and the listing as it is now."""
    with connection.transaction():
        before = standings.take_turn(connection, request)
        app_url = AppSettings.load().app_url
        listing = find_listing(connection, request.listing_id, request.organization_id, app_url)
        if listing is None:
            raise NoSuchListing(standings.NO_LISTING)
        if job.payload.action is not SyndicationAction.REMOVE:
            on_the_market(listing)
        standings.write(connection, request, replace(before, status="pending", error=None))
    return before, listing


def _publish(job: Job[SyndicateListing], listing: Listing, before: Standing) -> Standing:
    platform = job.payload.platforms[0]
    adapter = adapter_of(platform)
    if lacks := missing(adapter, listing):
        raise PlatformRefused(f"the listing lacks what the platform insists on: {', '.join(lacks)}")
    feed = adapter.feed(listing)
    checksum = sha256(feed).hexdigest()
    if before.has(checksum):
        return before
    answer = _say(platform, lambda account: messages.publishes(job, adapter, feed, account))
    receipt = adapter.receipt(answer)
    return Standing(
        status="published" if before.external_id is None else "updated",
        external_id=receipt.external_id or before.external_id or listing.reference,
        external_url=receipt.external_url or before.external_url,
        feed_checksum=checksum,
    )


def _remove(job: Job[SyndicateListing], listing: Listing, before: Standing) -> Standing:
    platform = job.payload.platforms[0]
    adapter = adapter_of(platform)
    try:
        _say(platform, lambda account: messages.removes(job, adapter, listing, account))
    except PlatformNotConfigured:
        if before.external_id is not None:  # else what was never there is gone
            raise
    return Standing(status="removed")


def _say(platform: Platform, message: Callable[[messages.Account], Message]) -> bytes:
    """Send what our account there makes of it; once more where the account was changed while this process lived."""
    try:
        return send(message(account_of(platform)))
    except PlatformRefused as refusal:
        if refusal.status not in _UNAUTHORIZED or not secrets.refresh():
            raise
        return send(message(account_of(platform)))


def _made_visible(request: Request, error: Exception) -> str:
    """Write the error where people look for the listing's advertisements, now: the job's transaction rolls back."""
    with suppress(LockNotAvailable):  # somebody else is about to write how it stands
        database.run(lambda connection: standings.write_failure(connection, request, str(error)))
    return f"{request.platform.value}: {error}"
