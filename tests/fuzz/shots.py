"""What is sent: true events, true events with something altered, nonsense that is well signed, and plain nonsense."""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from infra.webhooks import Request, custom_events, github_events, local_senders, resend_events, stripe_events
from tests.fuzz import nasty

Expected = Literal["taken", "refused", "either"]
SOURCES = ("stripe", "resend", "github", "form", "accounting", "scanner")
PATHS = ["/stripe", "/resend", "/github", "/custom/accounting", "/custom/scanner"]
# Of each source what it signs beside the body, and the signature.
_SIGNED_HEADERS = {
    "stripe": ["stripe-signature"],
    "resend": ["svix-id", "svix-timestamp", "svix-signature"],
    "github": ["x-hub-signature-256"],
    "form": ["x-hub-signature-256"],
    "accounting": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "scanner": ["x-scanner-signature"],
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One request, and what must come of it; `payload` is what a row that it makes must hold, where that is known."""

    request: Request
    expected: Expected
    story: str
    method: str = "POST"
    payload: dict[str, Any] | None = None


class Gun:
    """Makes shots from a seed; the same seed makes the same stories."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._sent: list[Shot] = []
        self._number = 0

    def shots(self) -> Iterator[Shot]:
        """Shots without end."""
        makers: list[tuple[Callable[[], Shot], int]] = [
            (self._true, 20),
            (self._again, 8),
            (self._altered, 35),
            (self._signed_nonsense, 30),
            (self._nonsense, 7),
        ]
        while True:
            (make,) = self._chance.choices([each for each, _ in makers], [weight for _, weight in makers])
            yield make()

    # --- events ---------------------------------------------------------------------------------------------

    def _true(self) -> Shot:
        source = self._chance.choice(SOURCES)
        event = self._event(source)
        shot = Shot(self._signed(source, event), "taken", f"{source}: true", payload=event)
        self._sent.append(shot)
        return shot

    def _again(self) -> Shot:
        if not self._sent:
            return self._true()
        return replace(self._chance.choice(self._sent), story="sent again", payload=None)

    def _event(self, source: str) -> dict[str, Any]:
        self._number += 1
        match source:
            case "stripe":
                kind = self._chance.choice([*stripe_events.TYPES, "charge.updated", "customer.created"])
                versions = [stripe_events.BEFORE_BASIL, stripe_events.SINCE_BASIL]
                return stripe_events.event(kind, api_version=self._chance.choice(versions))
            case "resend":
                return resend_events.event(self._chance.choice(resend_events.TYPES))
            case "github" | "form":
                return github_events.event("push")
            case "accounting":
                return custom_events.invoice_imported(f"2026-{self._number}")
            case _:
                return custom_events.document_scanned()

    def _signed(self, source: str, content: dict[str, Any] | bytes, at: float | None = None) -> Request:
        name = f"fuzz-{self._number}"
        match source:
            case "stripe":
                return local_senders.stripe(content, at=at)
            case "resend":
                return local_senders.resend(content, message_id=name, at=at)
            case "github":
                return local_senders.github("push", content, delivery=name)
            case "form" if isinstance(content, dict):
                return local_senders.github("push", content, delivery=name, form=True)
            case "form":
                made = local_senders.github("push", content, delivery=name)
                return replace(
                    made, headers=made.headers | {"content-type": "application/x-www-form-urlencoded"}
                )
            case "accounting":
                return local_senders.accounting(content, message_id=name, at=at)
            case _:
                return local_senders.scanner(content)

    # --- alterations ----------------------------------------------------------------------------------------

    def _altered(self) -> Shot:
        source = self._chance.choice(SOURCES)
        request = self._signed(source, self._event(source))
        alter = self._chance.choice(
            [
                self._alter_body,
                self._alter_body,
                self._alter_signed_header,
                self._alter_signed_header,
                self._drop_signed_header,
                self._send_elsewhere,
                self._send_otherwise,
                self._send_as_something,
                self._alter_unsigned_header,
                self._send_late,
                self._send_too_much,
            ]
        )
        return alter(source, request)

    def _alter_body(self, source: str, request: Request) -> Shot:
        body, chance = bytearray(request.body), self._chance
        place = chance.randrange(len(body))
        match chance.randrange(6):
            case 0:
                body[place] ^= 1 << chance.randrange(8)
            case 1:
                del body[place:]
            case 2:
                body[place:place] = chance.randbytes(chance.randint(1, 8))
            case 3:
                body[place:place] = chance.choice(nasty.JSON)
            case 4:
                body += b" "
            case _:
                del body[place]
        return Shot(replace(request, body=bytes(body)), "refused", f"{source}: body altered")

    def _alter_signed_header(self, source: str, request: Request) -> Shot:
        name = self._chance.choice(_SIGNED_HEADERS[source])
        value = request.headers[name]
        # Only within what counts: base64 ends in bits that say nothing, and a scheme that nobody knows is skipped.
        end = value.index(",v0=") if source == "stripe" else len(value) - 3
        place = self._chance.randrange(end)
        new = self._chance.choice([each for each in string.hexdigits.lower() if each != value[place].lower()])
        altered = self._chance.choice([value[:place] + new + value[place + 1 :], *nasty.TEXTS])
        return Shot(
            replace(request, headers=request.headers | {name: altered}),
            "refused",
            f"{source}: {name} altered",
        )

    def _drop_signed_header(self, source: str, request: Request) -> Shot:
        gone = self._chance.choice(_SIGNED_HEADERS[source])
        headers = {name: value for name, value in request.headers.items() if name != gone}
        return Shot(replace(request, headers=headers), "refused", f"{source}: no {gone}")

    def _send_elsewhere(self, source: str, request: Request) -> Shot:
        paths = [
            *PATHS,
            "/custom/nobody",
            "/",
            "/custom/",
            "/stripe/",
            "//github",
            "/custom/a/b",
            "/%00",
            "/é",
        ]
        path = self._chance.choice([each for each in paths if each != request.path])
        return Shot(replace(request, path=path), "refused", f"{source}: sent to {path}")

    def _send_otherwise(self, source: str, request: Request) -> Shot:
        method = self._chance.choice(["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
        return Shot(request, "refused", f"{source}: {method}", method)

    def _send_as_something(self, source: str, request: Request) -> Shot:
        kind = self._chance.choice(["text/plain", "", "application/xml", "multipart/form-data", *nasty.TEXTS])
        return Shot(
            replace(request, headers=request.headers | {"content-type": kind}),
            "refused",
            f"{source}: as {kind!r:.40}",
        )

    def _alter_unsigned_header(self, source: str, request: Request) -> Shot:
        names = [
            "user-agent",
            "x-forwarded-for",
            "x-github-event",
            "x-github-delivery",
            "accept",
            "host",
            "x-anything",
        ]
        name = self._chance.choice(names)
        value = self._chance.choice(nasty.TEXTS)
        return Shot(
            replace(request, headers=request.headers | {name: value}),
            "either",
            f"{source}: {name} is {value!r:.40}",
        )

    def _send_late(self, source: str, _request: Request) -> Shot:
        dated = self._chance.choice(["stripe", "resend", "accounting"])
        request = self._signed(dated, self._event(dated), at=time.time() - self._chance.uniform(330, 1e9))
        return Shot(request, "refused", f"{source}: late")

    def _send_too_much(self, source: str, request: Request) -> Shot:
        many = {f"x-filler-{number}": "x" * 2_000 for number in range(9)}
        return Shot(replace(request, headers=request.headers | many), "refused", f"{source}: long headers")

    # --- nonsense -------------------------------------------------------------------------------------------

    def _signed_nonsense(self) -> Shot:
        source = self._chance.choice(SOURCES)
        content = self._chance.choice([self._odd_event, self._odd_json, self._odd_bytes])(source)
        return Shot(self._signed(source, content), "either", f"{source}: nonsense, well signed")

    def _odd_event(self, source: str) -> bytes:
        """A true event some of whose values are not."""
        event = self._event(source)
        for _each in range(self._chance.randint(1, 4)):
            self._spoil(event)
        return json.dumps(event).encode("utf-8", "surrogatepass")

    def _spoil(self, event: dict[str, Any]) -> None:
        holder, chance = event, self._chance
        while True:
            name = chance.choice(list(holder) or ["id"])
            inner = holder.get(name)
            if isinstance(inner, dict) and inner and chance.random() < 0.6:
                holder = inner
                continue
            if chance.random() < 0.2:
                holder.pop(name, None)
            elif chance.random() < 0.2:
                holder[chance.choice(nasty.TEXTS)] = chance.choice(nasty.VALUES)
            else:
                holder[name] = chance.choice([*nasty.VALUES, *nasty.TEXTS])
            return

    def _odd_json(self, source: str) -> bytes:
        """A true event's JSON with something in it that JSON or Postgres may not like."""
        body = bytearray(json.dumps(self._event(source)).encode())
        for _each in range(self._chance.randint(1, 3)):
            place = self._chance.randrange(len(body))
            length = self._chance.choice([0, 0, 1, 5])
            body[place : place + length] = self._chance.choice(nasty.JSON)
        return bytes(body)

    def _odd_bytes(self, _source: str) -> bytes:
        chance = self._chance
        return chance.choice(
            [
                chance.randbytes(chance.randint(0, 200)),
                b"[]",
                b"null",
                b'"x"',
                b"0",
                b"{}",
                b"payload=%7B%7D",
                b"payload=" + chance.randbytes(20),
                b"[" * 100_000,
                b'{"type":"x","id":"y"}',
            ]
        )

    def _nonsense(self) -> Shot:
        chance = self._chance
        names = [
            *(name for names in _SIGNED_HEADERS.values() for name in names),
            "content-type",
            "x-github-event",
        ]
        headers = {name: chance.choice(nasty.TEXTS) for name in chance.sample(names, chance.randint(0, 6))}
        if chance.random() < 0.7:
            headers["content-type"] = "application/json"
        path = chance.choice([*PATHS, "/" + "".join(chance.choices(string.printable.strip() + "é", k=12))])
        request = Request(path, chance.randbytes(chance.randint(0, 60)), headers)
        return Shot(request, "refused", "nonsense", chance.choice(["POST", "POST", "POST", "GET", "TRACE"]))
