"""The receiver's function, deployed; QStash keeps what it is given and delivers nothing."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from infra.local.awslambda import Function, LambdaServer
from infra.local.awslambda.function_url import UrlRequest
from infra.local.background import Background
from infra.local.qstash import QStashServer
from infra.template import ROOT
from infra.webhooks import LOCAL_SECRETS, Request, local_secrets
from shared.database import Connection
from shared.registry import JobType

HANDLER = "functions.receive_webhook.handler.handler"
OLD_STRIPE, OLD_RESEND, OLD_GITHUB = "whsec_old_stripe", "whsec_b2xkLXJlc2VuZC1zZWNyZXQtMTIz", "old-github"
NOWHERE = "http://127.0.0.1:9/"  # where workers would be
SECRETS = LOCAL_SECRETS | {
    "STRIPE_WEBHOOK_SECRETS": f"{OLD_STRIPE},{local_secrets.STRIPE}",
    "RESEND_WEBHOOK_SECRETS": f"{OLD_RESEND}, {local_secrets.RESEND}",
    "GITHUB_WEBHOOK_SECRETS": f"{OLD_GITHUB},{local_secrets.GITHUB}",
}


@dataclass
class Stage:
    """The running receiver, and a look at what it has written."""

    functions: LambdaServer
    qstash: QStashServer
    connection: Connection
    environment: Mapping[str, str]
    lines: list[str]
    client: httpx.Client

    def send(
        self, request: Request, *, to: str = "receive-webhook", method: str = "POST", **headers: str | None
    ) -> httpx.Response:
        """Send a request, some of its headers changed; None leaves one out."""
        changes = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (request.headers | changes).items() if value is not None}
        url = self.functions.url(to) + request.path
        return self.client.request(method, url, headers=sent, content=request.body)

    def events(self, event_id: str | None = None) -> list[dict[str, Any]]:
        """What was recorded, all or of this id."""
        return self.connection.execute(
            "SELECT * FROM app.webhook_events WHERE %(id)s::text IS NULL OR event_id = %(id)s ORDER BY id",
            {"id": event_id},
        ).fetchall()

    def jobs(self, event_id: str | None = None) -> list[dict[str, Any]]:
        """The jobs that were accepted, all or for an event of this id."""
        return self.connection.execute(
            "SELECT * FROM job_executions WHERE %(id)s::text IS NULL OR payload ->> 'eventId' = %(id)s ORDER BY id",
            {"id": event_id},
        ).fetchall()

    def written(self) -> tuple[int, int]:
        """How many events and jobs there are."""
        return len(self.events()), len(self.jobs())

    def logged(self, text: str) -> bool:
        """Whether a function has said so."""
        return any(text in line for line in self.lines)


@contextmanager
def staged(database_url: str) -> Iterator[Stage]:
    """A stage on this database."""
    with Background() as background, silent_port() as silent, httpx.Client(timeout=30) as client:
        qstash = QStashServer(port=0)
        qstash.faults.delay(1e9)
        background.call(qstash.start())
        environment = {
            **SECRETS,
            "DATABASE_URL": database_url,
            "QSTASH_URL": qstash.url,
            "QSTASH_TOKEN": qstash.token,
            "JOB_ENDPOINTS": json.dumps(dict.fromkeys([*map(str, JobType), "record-failure"], NOWHERE)),
        }
        others = {
            "without-postgres": {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"},
            "without-qstash": {"QSTASH_URL": "http://127.0.0.1:9"},
            "with-a-silent-qstash": {"QSTASH_URL": f"http://127.0.0.1:{silent}"},
            "without-keys": dict.fromkeys(SECRETS, ""),
        }
        variants: dict[str, dict[str, str]] = {"receive-webhook": {}, **others}
        lines: list[str] = []
        functions = LambdaServer(
            [
                Function(name, HANDLER, timeout=20, environment=environment | more)
                for name, more in variants.items()
            ],
            task_root=ROOT,
            log=lines.append,
        )
        background.call(functions.start())
        try:
            with psycopg.connect(
                database_url, autocommit=True, row_factory=dict_row, prepare_threshold=None
            ) as connection:
                yield Stage(functions, qstash, connection, environment, lines, client)
        finally:
            background.call(functions.stop())
            background.call(qstash.stop())


def event_of(request: Request, method: str = "POST") -> dict[str, Any]:
    """A request as the function URL hands it on, where a test calls the handler itself."""
    path, _, query = request.path.partition("?")
    made = UrlRequest(
        function="receive-webhook",
        request_id="00000000-0000-0000-0000-000000000000",
        trace_id="Root=1",
        method=method,
        path=path,
        query=query,
        headers=tuple(request.headers.items()),
        body=request.body,
        host="receive.lambda-url.eu-central-1.on.aws",
        source_ip="203.0.113.7",
    )
    return made.event()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in taken:
            each.close()
