"""Sensitive jobs: sealed at rest, opened by their worker, under keys that are rotated and may be missing."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from infra.local.qstash import QStashServer
from shared import executions, sealing
from shared.columns import REDACTED
from shared.database import Connection
from shared.dispatcher import JobRequest, enqueue, enqueue_batch, enqueue_many, replay, retry
from shared.envelope import Envelope
from shared.errors import IdempotencyConflict, SecretUnavailable
from shared.outcomes import Complete, Fail, Retry
from shared.registry import JobType
from shared.worker import Job, job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note
from tests.integration.sealed import (
    NEW,
    NEW_ID,
    OLD,
    OLD_ID,
    SECRET,
    Plain,
    deliver,
    echo,
    mark,
    stored,
)


@pytest.fixture(autouse=True)
def keys(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    mark(environment)
    environment.setenv("PAYLOAD_KEYS", OLD)
    return environment


# --- at rest -----------------------------------------------------------------------------------------------


def test_payload_and_result_are_sealed_and_the_handler_sees_them(connection: Connection) -> None:
    job_id = enqueue(Note(text=SECRET))
    assert deliver(job_id) == (200, {"ok": True})
    row = stored(connection, job_id)
    assert SECRET not in str(row)
    assert (row["payload_key"], row["result_key"], row["by_reference"]) == (OLD_ID, OLD_ID, True)
    payload, result = (
        sealing.unseal(json.dumps(row[name]), OLD_ID, place)
        for name, place in [("payload", sealing.payload_of(job_id)), ("result", sealing.result_of(job_id))]
    )
    assert (json.loads(payload), json.loads(result)) == ({"text": SECRET}, {"echo": SECRET})


def test_a_result_of_nothing_is_sealed_too(connection: Connection) -> None:
    job_id = enqueue(Note())
    deliver(job_id, lambda _job: None)
    assert stored(connection, job_id)["result"].keys() == {"sealed", "as"}


def test_whoever_looks_sees_that_there_is_nothing_to_see(connection: Connection, read: Read) -> None:
    job_id = enqueue(Note(text=SECRET), user_id=1, organization_id=2)
    assert (read(job_id).payload, read(job_id).result) == (REDACTED, None)
    deliver(job_id)
    lists = [
        executions.latest(connection),
        executions.latest_by_type(connection, "crm-match"),
        executions.latest_by_user(connection, 1),
        executions.latest_by_organization(connection, 2),
    ]
    for (found,) in lists:
        assert (found.payload, found.result) == (REDACTED, REDACTED) == (read(job_id).payload, found.result)


def test_what_was_written_before_the_mark_is_shown_to_nobody_and_does_not_travel(
    accept: Accept, keys: pytest.MonkeyPatch, connection: Connection, read: Read, qstash: QStashServer
) -> None:
    mark(keys, sensitive=False)
    job_id = accept(Note(text=SECRET), attempts=1).job_id
    mark(keys)
    assert read(job_id).payload == REDACTED
    assert deliver(job_id, lambda _job: Fail("no"), payload={"text": SECRET})[0] == 489
    assert stored(connection, job_id)["payload"] == {"text": SECRET}
    sent: list[Any] = []

    def send(_settings: object, message: Any) -> str:
        sent.append(message)
        return "msg_1"

    keys.setattr("shared.publishing.sending.send", send)
    retry(job_id)
    assert json.loads(sent[0]["body"])["payload"] == {}
    assert deliver(job_id, publication=2) == (200, {"ok": True})
    assert stored(connection, job_id)["result_key"] == OLD_ID


def test_what_was_sealed_is_opened_after_the_mark_was_taken_away(
    keys: pytest.MonkeyPatch, connection: Connection
) -> None:
    job_id = enqueue(Note(text=SECRET))
    mark(keys, sensitive=False)
    assert deliver(job_id) == (200, {"ok": True})
    assert SECRET not in str(stored(connection, job_id))


def test_a_developers_own_reasons_are_kept(read: Read) -> None:
    for outcome, status in ((Fail("our words"), 489), (Retry(after=1, reason="our words"), 503)):
        job_id = enqueue(Note())
        assert deliver(job_id, lambda _job, said=outcome: said)[0] == status
        assert read(job_id).error == "our words"


def test_a_payload_that_cannot_be_read_is_not_quoted(connection: Connection, read: Read) -> None:
    job_id = enqueue(Note())
    sealed = sealing.seal(json.dumps({"text": [SECRET]}), sealing.payload_of(job_id))
    connection.execute("UPDATE job_executions SET payload = %s", [Jsonb(sealed.body)])
    assert deliver(job_id)[0] == 489
    assert read(job_id).error == "invalid payload: text: is not valid (string_type)"


@pytest.mark.parametrize("quoted", [True, False])
def test_what_a_function_answered_is_kept_of_plain_jobs_only(
    accept: Accept, keys: pytest.MonkeyPatch, read: Read, quoted: bool
) -> None:
    from shared.settling import GivenUpMessage, settle

    mark(keys, sensitive=not quoted)
    job = accept(Note())
    message = GivenUpMessage(status=502, body="c2VjcmV0", source_message_id="msg_1", retried=3)
    settle(message, Envelope.model_validate_json(envelope(job)))
    said = "QStash gave up after 4 deliveries; the last got HTTP 502"
    assert read(job.job_id).error == (f"{said}: secret" if quoted else said)


# --- the rest of what jobs can do --------------------------------------------------------------------------


def test_an_idempotency_key_compares_what_is_sealed(keys: pytest.MonkeyPatch) -> None:
    first = enqueue(Note(text=SECRET), idempotency_key="k")
    keys.setenv("PAYLOAD_KEYS", f"{NEW},{OLD}")
    assert enqueue(Note(text=SECRET), idempotency_key="k") == first
    with pytest.raises(IdempotencyConflict) as caught:
        enqueue(Note(text="another"), idempotency_key="k")
    assert caught.value.job_id == first
    many = enqueue_many([JobRequest(Note(text=each), idempotency_key="k") for each in (SECRET, "another")])
    assert [type(each.error) for each in many] == [type(None), IdempotencyConflict]


@pytest.mark.parametrize("sealed_first", [True, False])
def test_and_what_is_sealed_with_what_is_not(keys: pytest.MonkeyPatch, sealed_first: bool) -> None:
    mark(keys, sensitive=sealed_first)
    first = enqueue(Note(text=SECRET), idempotency_key="k")
    mark(keys, sensitive=not sealed_first)
    assert enqueue(Note(text=SECRET), idempotency_key="k") == first
    with pytest.raises(IdempotencyConflict):
        enqueue(Note(text="another"), idempotency_key="k")


def test_a_corrected_payload_is_sealed_anew(keys: pytest.MonkeyPatch, connection: Connection) -> None:
    job_id = enqueue(Note(text="wrong"))
    deliver(job_id, lambda _job: Fail("no"))
    keys.setenv("PAYLOAD_KEYS", f"{NEW},{OLD}")
    retry(job_id, Note(text=SECRET))
    assert stored(connection, job_id)["payload_key"] == NEW_ID
    seen: list[str] = []
    assert deliver(job_id, lambda job: seen.append(job.payload.text), publication=2)[0] == 200
    assert seen == [SECRET]


def test_dead_letters_are_replayed_as_they_are(connection: Connection) -> None:
    job_id = enqueue(Note(text=SECRET))
    deliver(job_id, lambda _job: Fail("no"))
    assert replay(job_type=JobType.CRM_MATCH) == [job_id]
    assert deliver(job_id, publication=2) == (200, {"ok": True})


def test_a_plain_job_chains_a_sensitive_one(
    keys: pytest.MonkeyPatch, accept: Accept, connection: Connection
) -> None:
    job = accept(Plain())

    def run(_job: Job[Plain]) -> Complete:
        return Complete({}, then=[Note(text=SECRET)])

    body = event(envelope(job))
    keys.setenv("PAYLOAD_KEYS", "nonsense")
    assert job_worker(Plain)(run)(body, Context())["statusCode"] == 503  # it costs nothing here either
    keys.setenv("PAYLOAD_KEYS", OLD)
    assert job_worker(Plain)(run)(body, Context())["statusCode"] == 200
    row = connection.execute("SELECT * FROM job_executions WHERE job_type = 'crm-match'").fetchone()
    assert row is not None
    assert row["payload_key"] == OLD_ID
    assert deliver(row["job_id"]) == (200, {"ok": True})


def test_a_completion_sees_the_results_of_its_batch(connection: Connection) -> None:
    batch = enqueue_batch([Note(text=SECRET), Plain(), Note(text="b")], Note(text="sum"))
    deliver(batch.job_ids[0], echo)
    deliver(batch.job_ids[2], lambda _job: Fail("no"))
    connection.execute(
        "UPDATE job_executions SET status = 'cancelled', completed_at = now() WHERE job_id = %s",
        [batch.job_ids[1]],
    )
    seen: list[Any] = []

    def run(job: Job[Note]) -> None:
        seen.extend((member.status, member.result) for member in job.batch())
        seen.append(job.payload.text)

    assert deliver(batch.then_job_id, run) == (200, {"ok": True})
    assert seen == [("completed", {"echo": SECRET}), ("cancelled", None), ("failed", None), "sum"]
    assert SECRET not in str(connection.execute("SELECT then_job FROM job_batches").fetchall())


def test_inline(keys: pytest.MonkeyPatch, connection: Connection) -> None:
    keys.setenv("JOB_DELIVERY", "inline")
    seen: list[str] = []
    handler = ModuleType("functions.crm_match.handler")
    handler.handler = job_worker(Note)(lambda job: seen.append(job.payload.text))  # type: ignore[attr-defined]
    package = ModuleType("functions.crm_match")
    keys.setitem(sys.modules, "functions.crm_match", package)
    keys.setitem(sys.modules, "functions.crm_match.handler", handler)
    job_id = enqueue(Note(text=SECRET))
    assert seen == [SECRET]
    assert stored(connection, job_id)["status"] == "completed"
    connection.execute(
        "UPDATE job_executions SET status = 'failed', error = 'no' WHERE job_id = %s", [job_id]
    )
    keys.setenv("PAYLOAD_KEYS", NEW)
    with pytest.raises(SecretUnavailable, match=f"has no key '{OLD_ID}'"):  # and does not try without end
        retry(job_id)
