"""Keys are rotated while rows sealed under the old ones wait; one that is missing costs a job nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from infra.local.qstash import QStashServer
from infra.payload_keys import main
from shared import executions, sealing
from shared.database import Connection
from shared.dispatcher import enqueue, enqueue_batch, enqueue_many, retry
from shared.envelope import Envelope
from shared.errors import MissingSettings, SecretUnavailable
from shared.outcomes import Fail
from shared.rows import KeyUse
from shared.schedules import schedule
from shared.worker import Job, job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, event
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
    rows,
    stored,
)


@pytest.fixture(autouse=True)
def keys(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    mark(environment)
    environment.setenv("PAYLOAD_KEYS", OLD)
    return environment


def test_a_new_key_seals_and_the_old_one_opens(keys: pytest.MonkeyPatch, connection: Connection) -> None:
    before = enqueue(Note(text=SECRET))
    keys.setenv("PAYLOAD_KEYS", f"{NEW},{OLD}")
    after = enqueue(Note(text=SECRET))
    assert deliver(before) == deliver(after) == (200, {"ok": True})
    assert [stored(connection, each)["payload_key"] for each in (before, after)] == [OLD_ID, NEW_ID]
    assert [stored(connection, each)["result_key"] for each in (before, after)] == [NEW_ID, NEW_ID]


def test_what_is_sealed_under_each_key_is_counted(
    keys: pytest.MonkeyPatch, connection: Connection, qstash: QStashServer, database_url: str, capsys: Any
) -> None:
    assert executions.count_by_payload_key(connection) == []
    assert main(["--use"]) == 0
    deliver(enqueue(Note()))
    enqueue(Note())
    enqueue_batch([Plain()], Note())
    schedule(Note(), "0 3 * * *")
    keys.setenv("PAYLOAD_KEYS", f"{NEW},{OLD}")
    deliver(enqueue(Note()))
    deliver(enqueue_batch([Note()], Note()).job_ids[0])
    assert executions.count_by_payload_key(connection) == sorted(
        [KeyUse(OLD_ID, 2, 1, 1, 1), KeyUse(NEW_ID, 3, 1, 0, 0)], key=lambda use: use.key_id
    )
    assert main(["--use"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("nothing is sealed\n")
    assert (
        f"{OLD_ID}: 2 jobs (1 of them not ended), 1 payloads of schedules, 1 completions of batches" in said
    )


def test_a_missing_key_costs_no_attempt_and_is_named(
    keys: pytest.MonkeyPatch, connection: Connection, read: Read
) -> None:
    job_id = enqueue(Note(text=SECRET), retries=0)
    keys.setenv("PAYLOAD_KEYS", NEW)
    for attempt in (1, 2, 3):
        status, body = deliver(job_id, lambda _job: pytest.fail("it ran"))
        assert status == 503
        assert f"PAYLOAD_KEYS has no key '{OLD_ID}'" in body["error"]
        found = read(job_id)
        assert (found.status, found.attempt, found.max_attempts) == ("retrying", attempt, attempt + 1)
        assert found.error == body["error"]
        assert [each["type"] for each in found.errors] == ["SecretUnavailable"]
    keys.setenv("PAYLOAD_KEYS", f"{NEW},{OLD}")
    assert deliver(job_id, lambda _job: Fail("its last attempt"))[0] == 489
    assert [each["type"] for each in read(job_id).errors] == ["SecretUnavailable", "Fail"]


def test_it_is_told_when_to_come_again(keys: pytest.MonkeyPatch) -> None:
    job_id = enqueue(Note())
    keys.setenv("PAYLOAD_KEYS", NEW)
    made = Envelope(job_id=job_id, publication=1, type="crm-match", payload={})
    answer = job_worker(Note)(echo)(event(made.to_wire()), Context())
    assert answer["headers"]["Retry-After"] == "300"


@pytest.mark.parametrize("spoiled", ["", "nonsense"])
def test_without_a_usable_key_the_handler_does_not_begin(
    keys: pytest.MonkeyPatch, accept: Accept, read: Read, spoiled: str
) -> None:
    """Of a row that is plain too: its result could not be sealed."""
    job_id = accept(Note()).job_id
    keys.setenv("PAYLOAD_KEYS", spoiled)
    assert deliver(job_id, lambda _job: pytest.fail("it ran"))[0] == 503
    assert read(job_id).status == "retrying"


def test_a_key_that_vanishes_meanwhile_rolls_the_handlers_writes_back(
    keys: pytest.MonkeyPatch, connection: Connection, read: Read
) -> None:
    connection.execute("CREATE TABLE effects (n integer)")
    job_id = enqueue(Note())

    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO effects VALUES (1)")
        keys.setenv("PAYLOAD_KEYS", "")

    assert deliver(job_id, run)[0] == 503
    assert connection.execute("SELECT FROM effects").fetchall() == []
    keys.setenv("PAYLOAD_KEYS", OLD)
    assert deliver(job_id) == (200, {"ok": True})
    assert read(job_id).status == "completed"


def test_what_is_sealed_for_one_job_is_not_anothers(connection: Connection) -> None:
    mine, theirs = enqueue(Note(text="mine")), enqueue(Note(text=SECRET))
    taken = stored(connection, theirs)["payload"]
    for moved in (taken, taken | {"as": sealing.payload_of(mine)}):
        connection.execute("UPDATE job_executions SET payload = %s WHERE job_id = %s", [Jsonb(moved), mine])
        status, body = deliver(mine, lambda _job: pytest.fail("it ran"))
        assert status == 503
        assert "PAYLOAD_KEYS has another key" in body["error"] or "stands as the payload" in body["error"]


def test_without_keys_nothing_is_accepted(keys: pytest.MonkeyPatch, connection: Connection) -> None:
    job_id = enqueue(Note())
    deliver(job_id, lambda _job: Fail("no"))
    keys.delenv("PAYLOAD_KEYS")
    asked: list[Callable[[], object]] = [
        lambda: enqueue(Note()),
        lambda: enqueue_many([Plain(), Note()]),
        lambda: enqueue_batch([Plain()], Note()),
        lambda: schedule(Note(), "0 3 * * *"),
        lambda: retry(job_id, Note(text="corrected")),
    ]
    for ask in asked:
        with pytest.raises(MissingSettings, match=r"PAYLOAD_KEYS is missing .or PAYLOAD_SECRET_ARN"):
            ask()
    assert rows(connection) == 1
    assert connection.execute("SELECT FROM job_batches").fetchall() == []
    keys.setenv("PAYLOAD_KEYS", "nonsense")
    with pytest.raises(SecretUnavailable, match="entry 1 is not ID:KEY"):
        enqueue(Note())
    assert rows(connection) == 1
    enqueue(Plain())  # needs none
