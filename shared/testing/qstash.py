"""A QStash that keeps what it is given and delivers nothing: it stands below the real SDK, in place of the network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import httpx

from shared.envelope import Envelope
from shared.publishing import client

_FORWARDED = "upstash-forward-"


@dataclass(slots=True)
class Message:
    """One message as QStash was given it. `headers` are those that reach the URL, `options` QStash's own."""

    id: str
    url: str
    body: Any
    headers: Mapping[str, str]
    options: Mapping[str, str]
    is_cancelled: bool = False


@dataclass(slots=True)
class Schedule:
    """One schedule as QStash was given it; `payload` is as it travels, empty where it is kept in Postgres."""

    id: str
    cron: str
    time_zone: str | None
    envelope: Envelope
    is_paused: bool = False

    @property
    def job_type(self) -> str:
        """The type of its runs."""
        return self.envelope.type

    @property
    def payload(self) -> Mapping[str, Any]:
        """What its runs are given, as JSON."""
        return self.envelope.payload


class CapturingQStash:
    """`messages` are all that were published, in their order; `schedules` those that are there, by id.

    with qstash.down(): ...  # the job is accepted all the same
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.schedules: dict[str, Schedule] = {}
        self._is_down = False

    @contextmanager
    def down(self) -> Iterator[None]:
        """QStash cannot be reached while the block runs."""
        self._is_down = True
        try:
            yield
        finally:
            self._is_down = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as QStash does."""
        if self._is_down:
            raise httpx.ConnectError("QStash is down, by the test's wish", request=request)
        body = request.read()
        what, _, rest = request.url.raw_path.decode().removeprefix("/v2/").partition("/")
        match request.method, what:
            case "POST", "publish":
                return _json(self._publish(rest, body.decode(), request.headers))
            case "POST", "batch":
                asked = json.loads(body)
                return _json(
                    [self._publish(each["destination"], each["body"], each["headers"]) for each in asked]
                )
            case "DELETE", "messages":
                return self._cancel(rest)
            case _, "schedules":
                return self._schedules(request, rest, body)
        return _not_found(f"the test kit's QStash has no {request.method} {request.url.path}")

    def _publish(self, url: str, body: str, headers: Mapping[str, str]) -> dict[str, str]:
        given = {name.lower(): value for name, value in headers.items()}
        message = Message(
            id=f"msg_{uuid4().hex}",
            url=url,
            body=json.loads(body),
            headers=_below(_FORWARDED, given),
            options=_below("upstash-", {n: v for n, v in given.items() if not n.startswith(_FORWARDED)}),
        )
        self.messages.append(message)
        return {"messageId": message.id}

    def _cancel(self, message_id: str) -> httpx.Response:
        for message in self.messages:
            if message.id == message_id:
                message.is_cancelled = True
                return _json({})
        return _not_found(f"message {message_id} not found")

    def _schedules(self, request: httpx.Request, rest: str, body: bytes) -> httpx.Response:
        if request.method == "POST":
            return self._put_schedule(body, request.headers)
        if not rest:
            return _json([_shown(each) for each in self.schedules.values()])
        schedule_id, _, action = rest.partition("/")
        schedule = self.schedules.get(schedule_id)
        if schedule is None:
            return _not_found(f"schedule {schedule_id} not found")
        if request.method == "DELETE":
            del self.schedules[schedule_id]
        elif action:
            schedule.is_paused = action == "pause"
        return _json(_shown(schedule))

    def _put_schedule(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        schedule_id, cron, time_zone = headers["upstash-schedule-id"], headers["upstash-cron"], None
        if cron.startswith("CRON_TZ="):
            time_zone, _, cron = cron.removeprefix("CRON_TZ=").partition(" ")
        envelope = Envelope.model_validate_json(body)
        self.schedules[schedule_id] = Schedule(schedule_id, cron, time_zone, envelope)
        return _json({"scheduleId": schedule_id})


class _Wire(httpx.BaseTransport):
    """In place of the network: to the QStash of the block that runs. One for all, since a client of the SDK is dear."""

    def __init__(self) -> None:
        self.ends: list[CapturingQStash] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the innermost block's QStash does."""
        return self.ends[-1].handle_request(request)


_wire = _Wire()


@contextmanager
def capturing(qstash: CapturingQStash) -> Iterator[None]:
    """What the block publishes goes to this QStash. The block's token must be one that is used in such blocks only."""
    _wire.ends.append(qstash)
    try:
        with patch.object(client, "transport", _wire):
            yield
    finally:
        _wire.ends.remove(qstash)


def _below(prefix: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)}


def _shown(schedule: Schedule) -> dict[str, Any]:
    return {"scheduleId": schedule.id, "cron": schedule.cron, "isPaused": schedule.is_paused}


def _json(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def _not_found(why: str) -> httpx.Response:
    return httpx.Response(404, json={"error": why})
