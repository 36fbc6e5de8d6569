"""Payloads that stay in Postgres because they are too large for a message, or sensitive: of jobs and of schedules."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from qstash import QStash

from infra.local.background import Background
from infra.local.qstash import QStashServer
from infra.payload_keys import new_entry
from shared import database, executions, relay, schedules
from shared.columns import OMITTED
from shared.database import Connection
from shared.dispatcher import JobRequest, enqueue, enqueue_batch, enqueue_many, retry
from shared.envelope import Envelope, scheduled_job_id
from shared.errors import IdempotencyConflict, InvalidJob
from shared.job_request import LARGEST_MESSAGE, LARGEST_PAYLOAD
from shared.outcomes import Fail
from shared.registry import REGISTRY, JobType
from shared.rows import Execution
from shared.schedules import schedule, unschedule
from shared.settling import GivenUpMessage, settle
from shared.worker import job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, event
from tests.integration.jobs import Note

DAILY = "0 3 * * *"
AROUND = len('{"text":""}')  # what JSON takes besides the text
LARGE = Note(text="a" * 600_000)
LARGEST = Note(text="a" * (LARGEST_PAYLOAD - AROUND))
Fire = Callable[[str], dict[str, Any]]

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture(params=["large", "sensitive"])
def note(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch) -> Note:
    """A payload that travels by reference, for either reason."""
    environment.setenv("PAYLOAD_KEYS", new_entry())
    if request.param == "sensitive":
        mark(environment)
        return Note(text="nobody may see this")
    return LARGE


def mark(environment: pytest.MonkeyPatch) -> None:
    environment.setitem(REGISTRY, JobType.CRM_MATCH, replace(REGISTRY[JobType.CRM_MATCH], sensitive=True))


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


@pytest.fixture
def fire(background: Background, qstash: QStashServer, client: QStash) -> Fire:
    def make(schedule_id: str) -> dict[str, Any]:
        message_id = background.call(qstash.trigger(schedule_id))
        body = client.message.get(message_id).body or ""
        return event(
            body.encode(), headers={"upstash-message-id": message_id, "upstash-schedule-id": schedule_id}
        )

    return make


def deliver(delivery: dict[str, Any], seen: list[str] | None = None) -> int:
    run = (lambda job: seen.append(job.payload.text)) if seen is not None else (lambda _job: None)
    answer = job_worker(Note)(run)(delivery, Context())
    database.discard()
    return int(answer["statusCode"])


def of(job_id: UUID, publication: int = 1, **changes: Any) -> dict[str, Any]:
    made = Envelope(job_id=job_id, publication=publication, type="crm-match", **{"payload": {}} | changes)
    return event(made.to_wire())


def id_of(delivery: dict[str, Any]) -> UUID:
    return scheduled_job_id(delivery["headers"]["upstash-message-id"])


# --- large payloads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [LARGEST_MESSAGE, LARGEST_MESSAGE + 1])
def test_a_payload_travels_as_long_as_a_message_can_carry_it(
    qstash: QStashServer, client: QStash, read: Read, size: int
) -> None:
    made = Note(text="a" * (size - AROUND))
    message_id = read(enqueue(made)).qstash_message_id
    assert message_id is not None
    body = client.message.get(message_id).body or ""
    assert json.loads(body)["payload"] == ({"text": made.text} if size == LARGEST_MESSAGE else {})


@pytest.mark.parametrize("made", [LARGE, LARGEST], ids=["600 KB", "16 MiB"])
@pytest.mark.parametrize("sealed", [True, False], ids=["sensitive", "plain"])
def test_a_large_payload_reaches_the_handler(
    made: Note, sealed: bool, environment: pytest.MonkeyPatch, read: Read
) -> None:
    environment.setenv("PAYLOAD_KEYS", new_entry())
    if sealed:
        mark(environment)
    job_id, seen = enqueue(made, idempotency_key="k"), list[str]()
    assert deliver(of(job_id), seen) == 200
    assert seen == [made.text]
    assert read(job_id).status == "completed"
    assert enqueue(made, idempotency_key="k") == job_id
    with pytest.raises(IdempotencyConflict):
        enqueue(Note(text=made.text[:-1]), idempotency_key="k")


def test_one_byte_more_is_refused(connection: Connection) -> None:
    with pytest.raises(InvalidJob, match=f"at most {LARGEST_PAYLOAD} bytes") as caught:
        enqueue(Note(text=LARGEST.text + "a"))
    assert caught.value.field == "payload"
    assert executions.latest(connection) == []


def test_a_call_that_postgres_could_not_read_at_once_is_refused(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.job_request.LARGEST_INSERT", 2 * LARGEST_MESSAGE)  # 128 MB would take long
    many = [LARGE] * 3
    for ask in (lambda: enqueue_many(many), lambda: enqueue_batch(many, Note())):
        with pytest.raises(InvalidJob, match="make several calls"):
            ask()
    assert executions.latest(connection) == []


def test_nobody_who_publishes_or_lists_reads_it(connection: Connection, read: Read) -> None:
    large, small = enqueue(LARGE), enqueue(Note())
    connection.execute("UPDATE job_executions SET publish_after = now()")
    taken = {job.job_id: job.payload for job in executions.take_unpublished(connection, 10)}
    assert taken == {large: {}, small: {"text": "hello"}}
    listed = {job.job_id: job.payload for job in executions.latest(connection)}
    assert listed == {large: OMITTED, small: {"text": "hello"}}
    assert read(large).payload == {"text": LARGE.text}


def test_a_corrected_payload_may_be_large_and_small_again(connection: Connection, read: Read) -> None:
    job_id = enqueue(Note())
    for publication, made in enumerate([LARGE, Note(text="small")], start=1):
        job_worker(Note)(lambda _job: Fail("no"))(of(job_id, publication), Context())
        retry(job_id, made)
        assert read(job_id).payload == {"text": made.text}
        row = connection.execute("SELECT by_reference FROM job_executions").fetchone()
        assert row == {"by_reference": made is LARGE}


def test_a_completion_of_a_batch_may_be_large(note: Note, connection: Connection) -> None:
    batch = enqueue_batch([note, note], note)
    seen: list[str] = []
    for job_id in (*batch.job_ids, batch.then_job_id):
        assert deliver(of(job_id), seen) == 200
    assert seen == [note.text] * 3
    rows = connection.execute("SELECT DISTINCT by_reference FROM job_executions").fetchall()
    assert rows == [{"by_reference": True}]


def test_a_batch_that_older_code_has_inserted_completes(accept: Accept, connection: Connection) -> None:
    batch = enqueue_batch([Note()], Note(text="sum"))
    connection.execute("UPDATE job_batches SET then_job = then_job - 'payload_key' - 'by_reference'")
    seen: list[str] = []
    for job_id in (*batch.job_ids, batch.then_job_id):
        assert deliver(of(job_id), seen) == 200
    assert seen == ["hello", "sum"]


def test_older_codes_message_with_a_payload_is_run_from_the_row(accept: Accept) -> None:
    job, seen = accept(Note(text="the row's")), list[str]()
    assert deliver(of(job.job_id, payload={"text": "the message's"}), seen) == 200
    assert seen == ["the row's"]


def test_the_callers_transaction_may_hold_it(note: Note, database_url: str, connection: Connection) -> None:
    with psycopg.connect(database_url, row_factory=dict_row) as own:
        (enqueued,) = enqueue_many([JobRequest(note)], connection=own)
    assert relay.publish_unpublished(10, 0.0) == (0, 0)  # not due yet
    seen: list[str] = []
    assert deliver(of(enqueued.job_id), seen) == 200
    assert seen == [note.text]


# --- schedules ---------------------------------------------------------------------------------------------


def kept(connection: Connection) -> list[dict[str, Any]]:
    return connection.execute("SELECT * FROM schedule_payloads ORDER BY created_at").fetchall()


def test_a_schedules_payload_stays_here_and_its_runs_have_it(
    note: Note, client: QStash, fire: Fire, connection: Connection, read: Read
) -> None:
    made = schedule(note, DAILY, schedule_id="nightly", user_id=7, overlap="skip")
    body = json.loads(client.schedule.get(made).body or "")
    (row,) = kept(connection)
    assert (body["payload"], body["metadata"]["schedule"]["payloadId"]) == ({}, str(row["id"]))
    seen: list[str] = []
    first, second = fire(made), fire(made)
    assert deliver(first, seen) == deliver(first, seen) == deliver(second, seen) == 200
    assert seen == [note.text] * 2
    run = read(id_of(first))
    assert (run.status, run.schedule_id, run.user_id, run.publication) == ("completed", made, 7, 0)
    stored = connection.execute("SELECT by_reference, payload_key FROM job_executions LIMIT 1").fetchone()
    assert stored == {"by_reference": True, "payload_key": row["payload_key"]}


def test_it_is_written_before_qstash_is_told(
    note: Note, environment: pytest.MonkeyPatch, connection: Connection
) -> None:
    seen: list[int] = []
    environment.setattr("shared.publishing.put_schedule", lambda *_asked: seen.append(len(kept(connection))))
    schedule(note, DAILY)
    assert seen == [1]


def test_the_same_call_again_keeps_what_is_there(note: Note, client: QStash, connection: Connection) -> None:
    made = schedule(note, DAILY)
    before = client.schedule.get(made).body
    assert schedule(note, DAILY) == made
    assert client.schedule.get(made).body == before
    assert len(kept(connection)) == 1


def test_a_run_on_its_way_has_the_payload_of_its_time(
    note: Note, environment: pytest.MonkeyPatch, fire: Fire, connection: Connection
) -> None:
    made, seen = schedule(note, DAILY, schedule_id="nightly"), list[str]()
    old = fire(made)
    schedule(Note(text=f"another {note.text}"), DAILY, schedule_id=made)
    new = fire(made)
    before, after = kept(connection)
    assert (before["removed_at"] is None, after["removed_at"] is None) == (False, True)
    unschedule(made)
    assert all(row["removed_at"] for row in kept(connection))
    assert deliver(new, seen) == deliver(old, seen) == 200
    assert seen == [f"another {note.text}", note.text]


def test_a_new_key_seals_a_schedule_anew(
    environment: pytest.MonkeyPatch, qstash: QStashServer, connection: Connection
) -> None:
    mark(environment)
    old, new = new_entry(), new_entry()
    environment.setenv("PAYLOAD_KEYS", old)
    schedule(Note(), DAILY)
    environment.setenv("PAYLOAD_KEYS", f"{new},{old}")
    schedule(Note(), DAILY)
    before, after = kept(connection)
    assert (before["payload_key"], after["payload_key"]) == (old.partition(":")[0], new.partition(":")[0])
    assert (before["removed_at"] is None, after["removed_at"] is None) == (False, True)


def test_a_run_that_never_arrived_is_given_its_row(note: Note, fire: Fire, read: Read) -> None:
    delivery = fire(schedule(note, DAILY))
    body = base64.b64decode(delivery["body"]) if delivery["isBase64Encoded"] else delivery["body"].encode()
    message = GivenUpMessage(
        status=502,
        source_message_id=delivery["headers"]["upstash-message-id"],
        source_body=base64.b64encode(body).decode(),
    )
    assert settle(message, message.envelope()) == "settled"
    run: Execution = read(id_of(delivery))
    assert (run.status, run.publication) == ("pending", 1)
    seen: list[str] = []
    assert deliver(of(run.job_id), seen) == 200
    assert seen == [note.text]


def test_a_run_whose_payload_is_not_here_is_a_dead_letter_without_a_row(
    note: Note, fire: Fire, connection: Connection
) -> None:
    delivery = fire(schedule(note, DAILY))
    connection.execute("DELETE FROM schedule_payloads")
    assert deliver(delivery) == 489
    assert executions.latest(connection) == []


def test_a_schedule_made_before_the_mark_is_sealed_on_arrival(
    environment: pytest.MonkeyPatch, fire: Fire, connection: Connection
) -> None:
    delivery = fire(schedule(Note(text="nobody may see this"), DAILY))
    environment.setenv("PAYLOAD_KEYS", new_entry())
    mark(environment)
    seen: list[str] = []
    assert deliver(delivery, seen) == 200
    assert seen == ["nobody may see this"]
    assert seen[0] not in str(connection.execute("SELECT * FROM job_executions").fetchall())


def test_one_runs_payload_is_not_another_schedules(
    environment: pytest.MonkeyPatch, fire: Fire, connection: Connection
) -> None:
    environment.setenv("PAYLOAD_KEYS", new_entry())
    mark(environment)
    schedule(Note(text="theirs"), DAILY, schedule_id="theirs")
    mine = fire(schedule(Note(text="mine"), DAILY, schedule_id="mine"))
    connection.execute(
        "UPDATE schedule_payloads SET payload = (SELECT payload FROM schedule_payloads WHERE schedule_id = 'theirs')"
    )
    seen: list[str] = []
    assert deliver(mine, seen) == 503
    assert seen == []


def test_that_old_payloads_cannot_be_marked_fails_nothing(
    environment: pytest.MonkeyPatch, client: QStash, connection: Connection
) -> None:
    connection.execute("ALTER TABLE schedule_payloads RENAME TO elsewhere")
    made = schedules.schedule(Note(), DAILY)
    assert client.schedule.get(made).schedule_id == made
    unschedule(made)


@pytest.mark.parametrize("value", ["[]", "5", "null"])
def test_a_scheduled_payload_is_an_object(connection: Connection, value: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="scheduled_payload_is_object"):
        connection.execute(
            "INSERT INTO schedule_payloads (id, schedule_id, payload) VALUES (gen_random_uuid(), 'a', %s::jsonb)",
            [value],
        )
