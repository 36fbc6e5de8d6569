"""The payload of `syndicate-listing`: which listing goes to which platforms, or comes off them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError

from shared.envelope import Payload
from shared.registry import JobType


class Platform(StrEnum):
    """Where homes are advertised."""

    ZILLOW = "zillow"
    APARTMENTS = "apartments"
    CRAIGSLIST = "craigslist"
    FACEBOOK = "facebook"
    STREETEASY = "streeteasy"
    REALTOR = "realtor"


class SyndicationAction(StrEnum):
    """What is to be done. `publish` and `update` are the same: the platform has the listing as it is now."""

    PUBLISH = "publish"
    UPDATE = "update"
    REMOVE = "remove"


def _each_once(platforms: list[Platform]) -> list[Platform]:
    if len(set(platforms)) < len(platforms):
        raise PydanticCustomError("repeated", "Input should name each platform once")
    return platforms


class SyndicateListing(Payload, type=JobType.SYNDICATE_LISTING):
    """One listing of the job's organization, on one platform or several.

    The job sets the last two fields itself, for the jobs that it splits into: `requested_at` is when the first of them
    was accepted, and of two requests the later one stands; `summarize` marks the one that tells how the others ended.

        SyndicateListing(listing_id=42, platforms=[Platform.ZILLOW, Platform.STREETEASY])
        SyndicateListing(listing_id=42, platforms=["zillow"], action="remove")

    Raises InvalidJob without a platform, or where one is unknown or named twice.
    """

    listing_id: int = Field(ge=1, lt=2**63, strict=True)
    platforms: Annotated[list[Platform], Field(min_length=1), AfterValidator(_each_once)]
    action: SyndicationAction = SyndicationAction.PUBLISH
    requested_at: AwareDatetime | None = None
    summarize: bool = False
