"""Two who do the same at once; and Postgres, when it is gone, thawed onto, or cannot do it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from functions.jobs_api.access.callers import Caller, acting_as
from functions.jobs_api.access.keys import find_key
from functions.jobs_api.acting import bulk
from functions.jobs_api.acting import jobs as acting
from functions.jobs_api.shapes import BulkRequest, Filters
from infra.local.qstash import QStashServer
from shared import database
from shared.database import Connection
from shared.errors import JobNotEnded, PosthasteError
from tests.integration.jobs_api.browser import Browser
from tests.integration.jobs_api.client import Answer
from tests.integration.jobs_api.conftest import Keys
from tests.integration.jobs_api.rows import batch, failed

# --- two at once ---------------------------------------------------------------------------------------------


def at_once(count: int, act: Callable[[], Any]) -> list[Any]:
    """What each of so many threads got, or its error."""
    gate, got = threading.Barrier(count), []

    def go() -> None:
        gate.wait()
        try:
            got.append(act())
        except PosthasteError as error:
            got.append(error)
        finally:
            database.discard()

    threads = [threading.Thread(target=go) for _number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return got


def caller(keys: Keys) -> Caller:
    key = find_key(keys.ops.key or "")
    assert key is not None
    return Caller(key, "api", "203.0.113.7")


def test_the_same_replayed_by_two_runs_once(keys: Keys, qstash: QStashServer, connection: Connection) -> None:
    made = {failed(connection) for _number in range(60)}
    asked = BulkRequest(filter=Filters(status="failed"), limit=60)

    def act() -> list[UUID]:
        with acting_as(caller(keys)):
            return bulk.replay(caller(keys), asked).job_ids

    first, second, third = at_once(3, act)
    assert sorted(first + second + third) == sorted(made)
    runs = connection.execute("SELECT DISTINCT run, publication FROM job_executions").fetchall()
    assert runs == [{"run": 2, "publication": 2}]


def test_of_two_corrections_one_counts_and_the_other_is_told(
    keys: Keys, qstash: QStashServer, connection: Connection
) -> None:
    job_id = failed(connection)
    numbers = iter([11, 22])

    def act() -> int:
        number = next(numbers)
        with acting_as(caller(keys)):
            acting.retry(caller(keys), job_id, {"listingId": number, "agentId": 1})
        return number

    got = at_once(2, act)
    (won,) = [each for each in got if isinstance(each, int)]
    (lost,) = [each for each in got if not isinstance(each, int)]
    assert isinstance(lost, JobNotEnded)
    row = connection.execute("SELECT payload, run FROM job_executions").fetchone()
    assert row == {"payload": {"listingId": won, "agentId": 1}, "run": 2}
    outcomes = [each["outcome"].partition(":")[0] for each in keys.ops.get("/v1/actions").json["actions"]]
    assert sorted(outcomes) == ["done", "refused"]


def test_a_batchs_last_members_cancelled_at_once_set_off_its_completion(
    keys: Keys, qstash: QStashServer, connection: Connection
) -> None:
    batch_id = batch(connection, members=3)
    done = keys.ops.post("/v1/jobs/cancel", {"filter": {"batchId": str(batch_id)}})
    assert (done.status, len(done.json["jobIds"])) == (200, 3)
    shown = keys.ops.get(f"/v1/batches/{batch_id}").json
    assert (shown["remaining"], shown["firedAt"] is None) == (0, False)
    assert keys.ops.get(f"/v1/jobs/{shown['thenJobId']}").json["completesBatch"] == str(batch_id)


# --- Postgres ------------------------------------------------------------------------------------------------


def test_a_thaw_onto_a_dead_socket_is_not_noticed(
    keys: Keys, browser: Browser, connection: Connection
) -> None:
    job_id = failed(connection)
    acts: list[Callable[[], Answer]] = [
        lambda: keys.ops.get("/v1/jobs"),
        lambda: browser.open(f"/jobs/{job_id}"),
        lambda: keys.ops.get("/v1/statistics"),
        lambda: keys.ops.post(f"/v1/jobs/{job_id}/retry", {}),
    ]
    for act in acts:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        assert act().status == 200


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
        psycopg.errors.QueryCanceled("canceling statement due to statement timeout"),
        psycopg.errors.DiskFull("could not extend file"),
        psycopg.errors.DeadlockDetected("deadlock detected"),
        psycopg.errors.InsufficientPrivilege("permission denied for table api_actions"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_postgres_cannot_do_now_is_said(
    keys: Keys, browser: Browser, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error
) -> None:
    """A replica after a failover, a full disk, a statement's time: not the caller's fault, and to be tried again."""

    def refuse(_work: object) -> None:
        raise error

    cookie = browser._headers()
    monkeypatch.setattr(database, "run", refuse)
    api, page = keys.ops.get("/v1/jobs"), browser._client.send("GET", "/jobs", headers=cookie)
    for answer in (api, page):
        assert (answer.status, "retry-after" in answer.headers) == (503, True)
        assert str(error) not in answer.text
