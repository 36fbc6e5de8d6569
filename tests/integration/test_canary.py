"""A secret goes through every path that a sensitive job can take, and is nowhere but in its handler."""

from __future__ import annotations

import importlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.qstash import QStashServer
from infra.payload_keys import new_entry
from shared import database
from shared.database import Connection
from shared.dispatcher import enqueue, enqueue_batch, enqueue_many, retry
from shared.errors import InvalidJob
from shared.outcomes import Complete
from shared.registry import REGISTRY, JobType
from shared.schedules import schedule
from shared.worker import Job, job_worker
from tests.integration.delivering import Context
from tests.integration.jobs import Note
from tests.integration.watched import Lines, Watched, tables_with

CANARY = "canary 5d1c0f nobody may see"
FAILURES = "/told"


class Unprintable:
    """A result that cannot be stored, and says why in the payload's words."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __iter__(self) -> Iterator[object]:
        raise RuntimeError(self.words)


def stall(words: str) -> str:
    """Takes its time in the middle of dealing with an error."""
    try:
        int(words)
    except ValueError:
        time.sleep(30)
    return words


def behave(job: Job[Note]) -> Any:
    """What the note says: the first word is what to do, and the canary follows."""
    what = job.payload.text.split()[0]
    match what:
        case "chain":
            return Complete({"echo": job.payload.text}, then=[Note(text=f"return {CANARY}")])
        case "raise":
            try:
                json.loads(job.payload.text)
            except ValueError as error:
                error.add_note(job.payload.text)
                raise LookupError(job.payload.text) from error
        case "query":
            with job.transaction() as connection:
                connection.execute("SELECT %s::text::integer", [job.payload.text])
        case "hang":
            stall(job.payload.text)
        case "stall":
            return (stall(each) for each in [job.payload.text])
        case "unprintable":
            return (each for each in Unprintable(job.payload.text))
        case "unknown" if job.run == 1:
            Note.model_validate({"text": [job.payload.text], job.payload.text: 1})
    return {"echo": job.payload.text, "batch": [member.result for member in job.batch()]}


@pytest.fixture(params=[True, False], ids=["sensitive", "plain"])
def is_sensitive(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    marked: bool = request.param
    monkeypatch.setitem(REGISTRY, JobType.CRM_MATCH, replace(REGISTRY[JobType.CRM_MATCH], sensitive=marked))
    return marked


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Every logger's, from its lowest level on."""
    kept, root = Lines(), logging.getLogger()
    level, quieter = root.level, logging.getLogger("posthaste").level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    logging.getLogger("posthaste").setLevel(logging.DEBUG)
    yield kept
    root.removeHandler(kept)
    root.setLevel(level)
    logging.getLogger("posthaste").setLevel(quieter)


@pytest.fixture
def watched(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Watched]:
    server = QStashServer(port=0, backoff_scale=0.0)
    background.call(server.start())
    made = Watched(server, background)
    environment.setenv("PAYLOAD_KEYS", new_entry())
    environment.setenv("QSTASH_URL", made.proxy)
    environment.setenv("QSTASH_TOKEN", server.token)
    environment.setenv("QSTASH_CURRENT_SIGNING_KEY", server.current_signing_key)
    environment.setenv("QSTASH_NEXT_SIGNING_KEY", server.next_signing_key)
    environment.setenv("ENDPOINT_URL", made.url)
    endpoints = {"crm-match": f"{made.url}/work", "record-failure": f"{made.url}/record-failure"}
    environment.setenv("JOB_ENDPOINTS", json.dumps(endpoints))
    record_failure = importlib.import_module("functions.record_failure.handler")
    worker = job_worker(Note)(behave)

    def work(event: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = worker(event, Context())
        database.discard()
        return answer

    def hurry(event: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = worker(event, Context(seconds=3.4))
        database.discard()
        return answer

    made.routes["/work"], made.routes["/hurry"] = work, hurry
    made.routes["/record-failure"] = lambda event: record_failure.handler(event, Context())
    yield made
    made.stop()
    background.call(server.stop())


def run_everything(watched: Watched, environment: pytest.MonkeyPatch) -> None:
    told = f"{watched.url}{FAILURES}"
    # completes, and chains another
    enqueue(Note(text=f"chain {CANARY}"))
    assert watched.deliver(2) == [200, 200]
    # fails for good, is told, runs again with another payload; each way to fail
    failed = []
    for what in ("raise", "query", "unknown"):
        failed.append(enqueue(Note(text=f"{what} {CANARY}"), retries=1, failure_callback=told))
        assert watched.deliver(3) == [500, 489, 200]  # the last is record_failure's
    retry(failed[-1], Note(text=f"return {CANARY}"))
    assert watched.deliver() == [200]
    enqueue(Note(text=f"unprintable {CANARY}"), retries=0, failure_callback=told)
    assert watched.deliver(2) == [489, 200]
    # a dead letter that is replayed as it is
    job_id = enqueue(Note(text=f"unknown {CANARY}"), retries=0)
    assert watched.deliver(2) == [489, 200]
    retry(job_id)
    assert watched.deliver() == [200]
    # by the clock
    nightly = schedule(Note(text=f"return {CANARY}"), "0 3 * * *", schedule_id="nightly")
    watched.background.call(watched.qstash.trigger(nightly))
    assert watched.deliver() == [200]
    # many, and a batch whose completion sees the results
    enqueue_many([Note(text=f"return {each} {CANARY}") for each in range(3)])
    assert watched.deliver(3) == [200] * 3
    enqueue_batch([Note(text=f"return {each} {CANARY}") for each in range(2)], Note(text=f"return {CANARY}"))
    assert watched.deliver(3) == [200] * 3
    # runs out of time
    endpoints = json.loads(os.environ["JOB_ENDPOINTS"])
    environment.setenv("JOB_ENDPOINTS", json.dumps(endpoints | {"crm-match": f"{watched.url}/hurry"}))
    for what in ("hang", "stall"):
        enqueue(Note(text=f"{what} {CANARY}"), retries=0, failure_callback=told)
        assert watched.deliver(2) == [489, 200]
    watched.background.call(watched.qstash.wait_idle(10))
    # what QStash keeps of all this, as the sweep reads it
    importlib.import_module("functions.reconcile.handler").handler({}, Context())


def test_a_secret_is_nowhere(
    watched: Watched,
    lines: Lines,
    connection: Connection,
    environment: pytest.MonkeyPatch,
    is_sensitive: bool,
) -> None:
    """And for a plain type it is everywhere, which shows that these are the places to look in."""
    run_everything(watched, environment)
    places = [
        "to QStash",
        "from QStash",
        "at /work",
        "at /hurry",
        "at /record-failure",
        f"at {FAILURES}",
        "answered",
    ]
    assert [where for where in places if where not in watched.heard] == []
    found = {where for where in watched.heard if watched.hears(CANARY, where)}
    found |= tables_with(connection, CANARY)
    found |= {"logs"} if any(CANARY in line for line in lines.lines) else set()
    everywhere = {*places, "job_executions", "job_batches", "logs"}
    assert found == (set() if is_sensitive else everywhere)
    statuses = connection.execute("SELECT status, count(*) FROM job_executions GROUP BY 1").fetchall()
    assert {row["status"]: row["count"] for row in statuses} == {"completed": 11, "failed": 5}


def test_what_goes_wrong_is_still_told(
    watched: Watched, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REGISTRY, JobType.CRM_MATCH, replace(REGISTRY[JobType.CRM_MATCH], sensitive=True))
    enqueue(Note(text=f"raise {CANARY}"), retries=0)
    watched.deliver(2)
    row = connection.execute("SELECT error, errors FROM job_executions").fetchone()
    assert row is not None
    assert row["error"] == "LookupError (what a sensitive job's error says is not kept)"
    (error,) = row["errors"]
    assert (error["type"], error["message"]) == ("LookupError", row["error"])
    assert "in behave" in error["traceback"]
    assert "JSONDecodeError" in error["traceback"]
    assert "test_canary.py" in error["traceback"]


@pytest.mark.usefixtures("environment")
def test_a_refusal_names_fields_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, JobType.CRM_MATCH, replace(REGISTRY[JobType.CRM_MATCH], sensitive=True))
    wrong: Any = [CANARY]
    with pytest.raises(InvalidJob) as caught:
        enqueue(Note.model_construct(text=wrong))
    assert "text" in str(caught.value)
    assert CANARY not in str(caught.value)
