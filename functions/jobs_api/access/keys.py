"""API keys: `API_KEYS` lists them by name, each with its rights, its organization and its digest.

    ops:write:*:9f86d08…,acme:read:7:60303ae…

A key is 32 random bytes, so a plain SHA-256 of it tells nothing and needs neither salt nor a slow hash, which would
be paid at each request. `make api-key` prints a key with its entry.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from shared import secrets
from shared.errors import SecretUnavailable

Rights = Literal["read", "write"]
PREFIX = "ph_"
_ENTRY = re.compile(r"([a-z0-9][a-z0-9._-]{0,63}):(read|write):(\*|[1-9][0-9]{0,17}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One entry: whose key it is, what it may do, and for which organization alone (None: for all)."""

    name: str
    rights: Rights
    organization_id: int | None
    digest: str


def digest_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def find_key(presented: str) -> ApiKey | None:
    """The entry of a key that was shown to us. Raises SecretUnavailable if the entries cannot be read.

    Each entry is compared, each in constant time: how long it takes tells nothing.
    """
    digest = digest_of(presented)
    found = None
    for entry in _entries():
        if hmac.compare_digest(entry.digest, digest):
            found = entry
    return found


def current_key(name: str, digest: str) -> ApiKey | None:
    """The entry of that name, if its key is still the same one."""
    for entry in _entries():
        if entry.name == name and hmac.compare_digest(entry.digest, digest):
            return entry
    return None


def _entries() -> tuple[ApiKey, ...]:
    return parse(secrets.find("API_KEYS") or "")


@lru_cache(maxsize=2)
def parse(text: str) -> tuple[ApiKey, ...]:
    """The entries of API_KEYS. Raises SecretUnavailable, which names the entry at fault by its number."""
    entries: dict[str, ApiKey] = {}
    for number, given in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        match = _ENTRY.fullmatch(given)
        if match is None or match[1] in entries:
            wrong = (
                "is not NAME:read|write:ORGANIZATION|*:SHA256 (make api-key prints one)"
                if match is None
                else "repeats another's name"
            )
            raise SecretUnavailable(
                f"API_KEYS is a list of entries, separated by commas: entry {number} {wrong}"
            )
        name, rights, organization, digest = match.groups()
        organization_id = None if organization == "*" else int(organization)
        entries[name] = ApiKey(name, "write" if rights == "write" else "read", organization_id, digest)
    return tuple(entries.values())
