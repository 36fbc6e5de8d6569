"""Our account on each platform: entries of one secret, read by those who post there."""

from __future__ import annotations

from functions.syndicate_listing.errors import PlatformNotConfigured
from shared import secrets
from shared.jobs.syndicate_listing import Platform

_USUAL = ("ENDPOINT", "API_KEY")
_OTHERS = {Platform.CRAIGSLIST: ("ENDPOINT", "USERNAME", "PASSWORD", "ACCOUNT_ID")}


def account_of(platform: Platform) -> dict[str, str]:
    """The platform's entries by their names without the platform's: ENDPOINT and API_KEY, for most.

    Raises PlatformNotConfigured, which names what is to be set, and SecretUnavailable.
    """
    names = {entry: f"{platform.upper()}_{entry}" for entry in _OTHERS.get(platform, _USUAL)}
    found = {entry: secrets.find(name) for entry, name in names.items()}
    missing = [name for entry, name in names.items() if found[entry] is None]
    if missing:
        raise PlatformNotConfigured(
            f"there is no account: set {', '.join(missing)} (entries of the secret SYNDICATION_SECRET_ARN)"
        )
    account = {entry: value for entry, value in found.items() if value is not None}
    if not account["ENDPOINT"].startswith(("https://", "http://")):
        raise PlatformNotConfigured(f"{names['ENDPOINT']} must be an absolute http(s) URL")
    return account
