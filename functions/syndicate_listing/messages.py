"""What is said to a platform: a listing's feed, or that it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from functions.syndicate_listing.listing import Listing
from functions.syndicate_listing.platforms.adapter import Adapter, missing
from functions.syndicate_listing.sending import Message
from shared.job import Job
from shared.jobs.syndicate_listing import SyndicateListing

Account = Mapping[str, str]


def publishes(job: Job[SyndicateListing], adapter: Adapter, feed: bytes, account: Account) -> Message:
    """Post the feed to the platform's endpoint."""
    return Message(
        "POST",
        account["ENDPOINT"],
        _idempotency_key(job, feed),
        body=adapter.sign(feed, account),
        content_type=adapter.content_type,
        headers=adapter.headers(account),
    )


def removes(job: Job[SyndicateListing], adapter: Adapter, listing: Listing, account: Account) -> Message:
    """Post the feed that takes it down, or delete it by our reference where there can be none."""
    feed = None if missing(adapter, listing) else adapter.removal(listing)
    if feed is not None:
        return replace(publishes(job, adapter, feed, account), removes=True)
    url = f"{account['ENDPOINT'].rstrip('/')}/{listing.reference}"
    return Message("DELETE", url, _idempotency_key(job, b""), headers=adapter.headers(account), removes=True)


def _idempotency_key(job: Job[SyndicateListing], feed: bytes) -> str:
    """The same for each attempt to send the same; another for a later job, which may send again what was removed."""
    payload = job.payload
    said = sha256(f"{job.id} {job.run} ".encode() + feed).hexdigest()[:32]
    return f"{payload.listing_id}-{payload.platforms[0].value}-{payload.action.value}-{said}"
