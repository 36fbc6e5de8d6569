"""Sensitive jobs for tests: `Note` marked as such, two keys, and deliveries that carry no payload."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from infra.payload_keys import new_entry
from shared import database
from shared.database import Connection
from shared.envelope import Envelope, Payload
from shared.registry import REGISTRY, JobType
from shared.worker import Job, job_worker
from tests.integration.delivering import Context, event
from tests.integration.jobs import Note

OLD, NEW = new_entry(), new_entry()
OLD_ID, NEW_ID = OLD.partition(":")[0], NEW.partition(":")[0]
SECRET = "nobody may see this"


class Plain(Payload, type=JobType.SEND_REMINDER):
    """Of a type that is not sensitive."""


def mark(monkeypatch: pytest.MonkeyPatch, *, sensitive: bool = True) -> None:
    marked = replace(REGISTRY[JobType.CRM_MATCH], sensitive=sensitive)
    monkeypatch.setitem(REGISTRY, JobType.CRM_MATCH, marked)


def echo(job: Job[Note]) -> dict[str, str]:
    return {"echo": job.payload.text}


def deliver(
    job_id: UUID, run: Any = echo, payload: dict[str, Any] | None = None, publication: int = 1
) -> tuple[int, dict[str, Any]]:
    made = Envelope(job_id=job_id, publication=publication, type="crm-match", payload=payload or {})
    answer = job_worker(Note)(run)(event(made.to_wire()), Context())
    database.discard()
    return answer["statusCode"], json.loads(answer["body"])


def stored(connection: Connection, job_id: UUID) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM job_executions WHERE job_id = %s", [job_id]).fetchone()
    assert row is not None
    return row


def rows(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) AS rows FROM job_executions").fetchone()
    assert row is not None
    return int(row["rows"])
