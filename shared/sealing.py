"""Seals what sensitive jobs hold at rest, so that the table and its backups do not tell what is in it.

XChaCha20-Poly1305 under the first key of PAYLOAD_KEYS; the others only open what was sealed under them before. What is
sealed is bound to its place: it opens as this job's payload, or as this job's result, and as nothing else. libsodium
is loaded where a sensitive job is touched, and nowhere else. docs/sensitive-payloads.md is the guide.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from shared import secrets
from shared.errors import SecretUnavailable

if TYPE_CHECKING:
    from nacl.secret import Aead

_ENTRY = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}):([A-Za-z0-9_-]{43})=?")
_VERSION = "posthaste 1"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a row keeps instead of the text, and the id of the key that it is sealed under."""

    body: Mapping[str, str]
    key_id: str


def payload_of(job_id: UUID) -> str:
    """The place of a job's payload."""
    return f"payload of job {job_id}"


def result_of(job_id: UUID) -> str:
    """The place of a job's result."""
    return f"result of job {job_id}"


def payload_of_schedule(schedule_id: str | None) -> str:
    """The place of the payload that all runs of a schedule have."""
    return f"payload of schedule {schedule_id}"


def seal(text: str, place: str) -> Sealed:
    """Seal a text under the current key, for this place only. Raises SecretUnavailable without a usable key.

    >>> seal('{"ssn": "078-05-1120"}', payload_of(job_id)).body  # doctest: +SKIP
    {'sealed': 'q83v…', 'as': 'payload of job 01a20390-…'}
    """
    key_id, key = next(iter(_keys().items()))
    sealed = bytes(_box(key).encrypt(text.encode(), _bound(key_id, place)))
    return Sealed({"sealed": base64.b64encode(sealed).decode(), "as": place}, key_id)


def unseal(stored: str, key_id: str | None, *places: str) -> str:
    """The text of what a row keeps: as it is without a key's id, else opened, if it was sealed for one of these places.

    Raises SecretUnavailable if the key is not there or does not open it, which an operator can mend.
    """
    body = None if key_id is None else _sealed_body(stored)
    if key_id is None or body is None:  # plain, or written over by code that knew nothing of keys
        return stored
    if body["as"] not in places:
        raise SecretUnavailable(f"what is sealed as the {body['as']} stands as the {places[0]}: put it back")
    return _open(body["sealed"], key_id, body["as"])


def check_keys() -> None:
    """Raise SecretUnavailable, which says what to do, unless there is a key to seal under."""
    _keys()


def _sealed_body(stored: str) -> dict[str, str] | None:
    body = json.loads(stored)
    is_sealed = isinstance(body, dict) and body.keys() == {"sealed", "as"}
    return body if is_sealed else None


def _open(sealed: str, key_id: str, place: str) -> str:
    from nacl.exceptions import CryptoError  # noqa: PLC0415  # only where a sensitive job is touched

    key = _key(key_id, place)
    try:
        return _box(key).decrypt(base64.b64decode(sealed, validate=True), _bound(key_id, place)).decode()
    except (CryptoError, ValueError):  # a ValueError is one of base64
        raise SecretUnavailable(
            f"the {place} does not open under key {key_id!r}: PAYLOAD_KEYS has another key of this id, or it was changed"
        ) from None


def _bound(key_id: str, place: str) -> bytes:
    return f"{_VERSION}\n{key_id}\n{place}".encode()


def _box(key: bytes) -> Aead:
    from nacl.secret import Aead  # noqa: PLC0415  # 20 ms that a plain worker's start must not pay

    return Aead(key)


def _key(key_id: str, place: str) -> bytes:
    found = _keys().get(key_id)
    if found is None and secrets.refresh():  # a key put there since they were read
        found = _keys().get(key_id)
    if found is None:
        raise SecretUnavailable(
            f"PAYLOAD_KEYS has no key {key_id!r}, under which the {place} is sealed: put it back"
        )
    return found


def _keys() -> dict[str, bytes]:
    return _parsed(secrets.secret("PAYLOAD_KEYS"))


@lru_cache(maxsize=2)
def _parsed(text: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(text.split(","), start=1):
        match = _ENTRY.fullmatch(entry.strip())
        if match is None or match[1] in keys:
            wrong = "is not ID:KEY (make payload-key prints one)" if match is None else "repeats another's id"
            raise SecretUnavailable(
                f"PAYLOAD_KEYS is a list of ID:KEY, separated by commas: entry {number} {wrong}"
            )
        keys[match[1]] = base64.urlsafe_b64decode(match[2] + "=")
    return keys
