"""What the server refuses, and with which words."""

from collections.abc import Mapping


class Refused(Exception):
    """The request cannot be served: `status` is the HTTP status, `text` goes to the caller as `{"error": text}`."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text
        self.headers = headers or {}


class QuotaExceeded(Refused):
    """A quota of the account forbids the request. A batch with such an item is refused as a whole."""

    def __init__(self, text: str) -> None:
        super().__init__(412, text)


def check_quota(name: str, value: float, limit: float | None) -> None:
    """Raise QuotaExceeded, in the service's words, if `value` is above the `limit`."""
    if limit is not None and value > limit:
        raise QuotaExceeded(f"quota {name} exceeded, current limit: {limit:.0f}")


class DailyLimitReached(QuotaExceeded):
    """No more messages today: 429, from which SDKs make an error of their own."""

    def __init__(self, limit: int, reset: int) -> None:
        Refused.__init__(
            self,
            429,
            f"exceeded daily rate limit: {limit} messages",
            {"RateLimit-Limit": str(limit), "RateLimit-Remaining": "0", "RateLimit-Reset": str(reset)},
        )
