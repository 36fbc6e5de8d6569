"""One call of each function: its event, and what must come of it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import psycopg

from infra.local.cloud import LocalCloud
from infra.schedules.stack import entered
from infra.signed_events import signed_event
from shared import database
from shared.dispatcher import enqueue
from shared.envelope import Envelope, scheduled_job_id
from shared.errors import UnknownJobType
from shared.jobs.ping import Ping
from shared.registry import get_job_config

Invoke = Callable[[dict[str, Any]], Any]


class NotAsItMust(Exception):
    """A function did not do what it must; the message says what it did."""


class Calls:
    """Calls functions by name against one local cloud; `answers` is where CloudFormation is told."""

    def __init__(self, cloud: LocalCloud, answers: Answers) -> None:
        self._cloud, self._answers = cloud, answers

    def call(self, name: str, invoke: Invoke) -> str:
        """Invoke a function with its event; what came of it, in a few words. Raises NotAsItMust."""
        match name:
            case "reconcile":
                return _expect(
                    name, invoke(signed_event(name)), lambda result: "published" in result, "swept"
                )
            case "provision":
                return self._provision(invoke)
            case "record-failure":
                return self._record_failure(invoke)
        try:
            get_job_config(name)
        except UnknownJobType:
            return _expect(
                name, invoke(signed_event(name)), lambda result: result["statusCode"] < 500, "answered"
            )
        return self._job(name, invoke)

    def _job(self, name: str, invoke: Invoke) -> str:
        event = signed_event(name, key=self._cloud.qstash.current_signing_key)
        _expect(name, invoke(event), lambda result: result["statusCode"] == 200, "")
        status = self._status(scheduled_job_id(event["headers"]["upstash-message-id"]))
        if status != "completed":
            raise NotAsItMust(f"{name}: it answered 200, and its job is {status}")
        return "its job is completed"

    def _record_failure(self, invoke: Invoke) -> str:
        with entered(self._cloud.environment):
            job_id = enqueue(Ping(), delay=3_600)
            database.discard()
        envelope = Envelope(job_id=job_id, publication=1, type="ping", payload={})
        example = json.loads(signed_event("record-failure")["body"])
        source = base64.b64encode(envelope.to_wire()).decode()
        body = json.dumps(example | {"sourceBody": source}).encode()
        event = signed_event("record-failure", key=self._cloud.qstash.current_signing_key, body=body)
        return _expect(
            "record-failure",
            invoke(event),
            lambda result: json.loads(result["body"]) == {"ok": True, "settled": True},
            "gave a job back",
        )

    def _provision(self, invoke: Invoke) -> str:
        result = invoke(signed_event("provision") | {"ResponseURL": self._answers.url})
        told = self._answers.last
        if told.get("Status") != "SUCCESS":
            raise NotAsItMust(
                f"provision: CloudFormation was told {told or 'nothing'}, and it returned {result}"
            )
        return f"told CloudFormation that {told['PhysicalResourceId']} is there"

    def _status(self, job_id: UUID) -> str | None:
        with psycopg.connect(self._cloud.database_url) as connection:
            row = connection.execute(
                "SELECT status FROM job_executions WHERE job_id = %s", [job_id]
            ).fetchone()
        return None if row is None else str(row[0])


def _expect(name: str, result: Any, right: Callable[[Any], bool], words: str) -> str:
    try:
        if right(result):
            return words
    except (KeyError, TypeError, ValueError):
        pass
    raise NotAsItMust(f"{name}: it returned {json.dumps(result)[:2000]}")


class Answers:
    """Takes what CloudFormation is told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.last: dict[str, Any] = {}


@contextmanager
def cloudformation(address: str) -> Iterator[Answers]:
    """A server at this address that takes the answers of custom resources."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answers.last = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((address, 0), Handler)
    answers = Answers(f"http://{address}:{server.server_port}/answer")
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
