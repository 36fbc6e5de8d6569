"""The keys that senders sign with. Several at once, the old one and the new, so that a rotation loses no event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared import secrets
from shared.errors import InvalidSignature

MOST = 4  # of one sender; each wrong signature costs as many computations
T = TypeVar("T")


def of(name: str) -> Sequence[str]:
    """A source's keys, by the name of the secret's entry: separated by commas.

    Raises InvalidSignature where there is none, for then no signature fits; SecretUnavailable where that is not known.
    """
    keys = (secrets.find(name) or "").replace(",", " ").split()
    if not keys:
        raise InvalidSignature(f"{name} is not set: put the sender's key into the webhooks secret")
    return keys[:MOST]


def current(verify: Callable[[], T]) -> T:
    """What `verify` returns, under the keys as they are now: it reads them, and raises InvalidSignature if none fits.

    They may have been rotated since they were read. On a mismatch they are read anew, at most once a minute.
    """
    try:
        return verify()
    except InvalidSignature:
        if not secrets.refresh():
            raise
        return verify()
