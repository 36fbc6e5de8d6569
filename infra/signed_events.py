"""`python -m infra.signed_events send-email`: the event of a function, as its URL would hand it over, freshly signed.

A job's event is a delivery of a schedule: it brings its payload along and needs no row, so it runs on any database that
is migrated. Each is a job of its own; the same one again is a redelivery, and does nothing. Signatures last five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from infra.local.qstash.accounts import DEFAULT_USER
from infra.local.qstash.delivery.signing import sign
from infra.template import ROOT
from shared.envelope import Envelope
from shared.errors import InvalidJob, UnknownJobType
from shared.registry import get_job_config

EVENTS = ROOT / "infra" / "events"


class UnknownEvent(Exception):
    """There is no event of this name; the message lists those that there are."""


def event_of(name: str) -> dict[str, Any]:
    """The example event of a function, as it lies in infra/events. Raises UnknownEvent."""
    path = EVENTS / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in EVENTS.glob("*.json")))
        raise UnknownEvent(f"there is no event {name!r}; there are {known}")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def signed_event(
    name: str,
    *,
    payload: dict[str, Any] | None = None,
    key: str | None = None,
    body: bytes | None = None,
) -> dict[str, Any]:
    """The event, signed for its URL with `key` (without one: QSTASH_CURRENT_SIGNING_KEY, else the development key).

    `payload` stands in for the example's; `body` is all of the body, of a function that takes no job. An event that is not
    a request is as it lies in the folder. Raises UnknownEvent, or InvalidJob where the payload is none of that job's.

        >>> signed_event("send-email")["headers"]["upstash-signature"]  # doctest: +SKIP
        'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…'
    """
    event = event_of(name)
    if "body" not in event:
        return event
    content = body or _delivery(name, event["body"], payload)
    url = f"https://{event['requestContext']['domainName']}{event['rawPath']}"
    used = key or os.environ.get("QSTASH_CURRENT_SIGNING_KEY") or DEFAULT_USER.current_key
    now = time.time()
    event["body"] = content.decode()
    event["headers"] |= {
        "upstash-message-id": f"msg_{secrets.token_hex(12)}",
        "upstash-signature": sign(used, url=url, body=content, now=now),
    }
    event["requestContext"] |= {
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }
    return event


def _delivery(name: str, example: str, payload: dict[str, Any] | None) -> bytes:
    """A job's envelope as a schedule delivers it; any other function's body as it is."""
    try:
        model = get_job_config(name).payload
    except UnknownJobType:
        return example.encode()
    found = Envelope.model_validate_json(example)
    used = found.payload if payload is None else payload
    checked = model(**used)
    metadata = found.metadata.model_copy(update={"created_at": datetime.now(UTC)})
    travelling = checked.model_dump(mode="json", by_alias=True)
    return Envelope(type=name, payload=travelling, metadata=metadata).to_wire()


def main(arguments: Sequence[str]) -> int:
    """Print an event; the exit code."""
    asked = _arguments(arguments)
    try:
        payload = None if asked.payload is None else json.loads(asked.payload)
        event = signed_event(asked.name, payload=payload)
    except ValueError as error:
        told = error if isinstance(error, InvalidJob) else f"PAYLOAD is no JSON object: {error}"
        print(f"✗ {told}", file=sys.stderr)
        return 2
    except (UnknownEvent, TypeError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 2
    print(json.dumps(event, indent=2))
    return 0


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.signed_events")
    parser.add_argument("name", nargs="?", default="", help="a job type, or another function's name")
    parser.add_argument("--payload", help="JSON that stands in for the example's payload")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
