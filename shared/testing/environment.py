"""The variables that a test's code finds: whatever would reach somebody outside is replaced, and nothing is asked for.

Names end in a domain that exists nowhere (RFC 6761), for whatever gets past the capturing QStash: another process, say.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager

from shared import database
from shared.endpoints import RECORD_FAILURE
from shared.registry import JobType

DOMAIN = "posthaste.invalid"

_OURS = {
    "QSTASH_URL": f"https://qstash.{DOMAIN}",
    "QSTASH_TOKEN": "captured",  # the SDK's client is kept by its token: it must be no other's
    "JOB_ENDPOINTS": json.dumps({name: f"https://{name}.{DOMAIN}/" for name in (*JobType, RECORD_FAILURE)}),
}
# A worker asks for these when it is imported. Nothing here is signed, and what is sealed under this key is a test's.
_UNLESS_GIVEN = {
    "QSTASH_CURRENT_SIGNING_KEY": "testing",
    "QSTASH_NEXT_SIGNING_KEY": "testing",
    "PAYLOAD_KEYS": "testing:" + base64.urlsafe_b64encode(bytes(32)).decode().rstrip("="),
}
_NOT_HERE = ("JOB_DELIVERY", "JOB_ENDPOINTS_PARAMETER")


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what is missing, so that modules that enqueue or hold a worker can be imported."""
    for name, value in (_OURS | _UNLESS_GIVEN | {"QSTASH_TOKEN": "none"}).items():
        environment.setdefault(name, value)


@contextmanager
def isolated() -> Iterator[None]:
    """Nothing in the block reaches QStash or a deployed stack. Raises RuntimeError without DATABASE_URL."""
    if not os.environ.get("DATABASE_URL"):
        raise RuntimeError(
            "set DATABASE_URL to the tests' own database (a secret's, by DATABASE_SECRET_ARN, is not taken: "
            "it is a deployed stack's)"
        )
    given = {name: os.environ.get(name) or value for name, value in _UNLESS_GIVEN.items()}
    with _variables(_OURS | given | dict.fromkeys(_NOT_HERE)):
        database.discard()  # connections outlive a change of DATABASE_URL
        try:
            yield
        finally:
            database.discard()


@contextmanager
def delivered_inline() -> Iterator[None]:
    """`enqueue` runs the job in the block."""
    with _variables({"JOB_DELIVERY": "inline"}):
        yield


@contextmanager
def _variables(values: Mapping[str, str | None]) -> Iterator[None]:
    """These variables, and as they were after the block; all others are the test's to change."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
