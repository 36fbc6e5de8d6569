"""Why a listing does not get to a platform: for good, for now, or because it need not."""

from __future__ import annotations

from shared.errors import PosthasteError


class PlatformRefused(PosthasteError):
    """The platform does not take this for good; carries its own words, and its HTTP status where that said so."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class PlatformUnavailable(PosthasteError):
    """The platform did not take it now: try again, after `retry_after` seconds if it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class PlatformNotConfigured(PosthasteError):
    """We have no account there; says what to set."""


class NoSuchListing(PosthasteError):
    """The organization has no listing of this id; another one may."""


class NotOnTheMarket(PosthasteError):
    """Only an active listing is advertised."""


class Overtaken(PosthasteError):
    """A later request has had its turn."""
