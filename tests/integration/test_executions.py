"""The table and its statements: what it refuses, what its queries find, and which index each of them uses."""

from __future__ import annotations

import ast
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row, scalar_row, tuple_row
from psycopg.types.json import Jsonb

from shared import executions
from shared.database import Connection
from shared.envelope import new_job_id
from shared.executions import statements
from shared.rows import NewJob, TypeStatistics
from tests.conftest import UrlOf

PACKAGE = Path(executions.__file__).parent
SQL = PACKAGE.parent / "sql"
NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def put(connection: Connection, **columns: Any) -> uuid.UUID:
    """One row as given; the least that the table asks for is filled in."""
    job_id = new_job_id()
    values: dict[str, Any] = {
        "job_id": job_id,
        "job_type": "crm-match",
        "payload": Jsonb({}),
        "max_attempts": 3,
    }
    values |= columns
    status = values.get("status")
    if status in {"completed", "failed", "cancelled"}:
        values.setdefault("completed_at", NOW)
    if status == "failed":
        values.setdefault("error", "no luck")
    if status == "processing":
        values = {"lease_expires_at": NOW, "started_at": NOW, "attempt": 1} | values
    statement = sql.SQL("INSERT INTO job_executions ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(map(sql.Placeholder, values))
    )
    connection.execute(statement, values)
    return job_id


@pytest.fixture(scope="module")
def module_database(server_url: str, template: str, url_of: UrlOf) -> Iterator[str]:
    """A database for all tests that leave nothing behind in it, or only read."""
    name = f"executions_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield url_of(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def undone(module_database: str) -> Iterator[Connection]:
    """A connection whose writes are undone after the test."""
    with psycopg.connect(module_database, row_factory=dict_row) as opened:
        yield opened
        opened.rollback()


# --- invariants --------------------------------------------------------------------------------------------

VALID = {
    "pending": {},
    "processing": {"status": "processing"},
    "retrying": {"status": "retrying", "attempt": 1},
    "completed": {"status": "completed", "attempt": 1},
    "failed": {"status": "failed", "attempt": 1},
    "cancelled": {"status": "cancelled"},
}
# The row as it is, what an UPDATE would make of it, the CHECK that must refuse.
BAD = [
    ("pending", "status = 'done'", "status_is_known"),
    ("pending", "status = 'PENDING'", "status_is_known"),
    ("pending", "status = ''", "status_is_known"),
    *[
        (each, "completed_at = NULL", "finished_has_completed_at")
        for each in ("completed", "failed", "cancelled")
    ],
    *[
        (each, "completed_at = now()", "finished_has_completed_at")
        for each in ("pending", "processing", "retrying")
    ],
    ("pending", "status = 'completed'", "finished_has_completed_at"),
    ("completed", "status = 'retrying'", "finished_has_completed_at"),
    ("processing", "lease_expires_at = NULL", "processing_has_lease"),
    *[
        (each, "lease_expires_at = now()", "processing_has_lease")
        for each in ("pending", "retrying", "completed", "failed", "cancelled")
    ],
    ("processing", "status = 'retrying'", "processing_has_lease"),
    ("processing", "started_at = NULL", "processing_has_started"),
    ("processing", "attempt = 0", "processing_has_started"),
    ("pending", "attempt = 1", "pending_has_not_run"),
    ("retrying", "status = 'pending'", "pending_has_not_run"),
    ("failed", "error = NULL", "failed_says_why"),
    ("pending", "attempt = 4", None),  # more than one of them
    ("retrying", "attempt = 4", "attempt_within_max"),
    ("retrying", "attempt = -1", "attempt_within_max"),
    ("processing", "max_attempts = 0, attempt = 0", None),
    ("cancelled", "max_attempts = 0", "counters_make_sense"),
    ("pending", "run = 0", "counters_make_sense"),
    ("pending", "publication = -1", "counters_make_sense"),
    ("pending", "undelivered = -1", "counters_make_sense"),
    ("pending", "not_before = '1969-12-31'", "times_make_sense"),
    ("pending", "not_before = '3000-01-02'", "times_make_sense"),
    *[
        ("pending", f"payload = '{each}'", "payload_is_object")
        for each in ("[]", '"text"', "5", "null", "true")
    ],
    *[("pending", f"errors = '{each}'", "errors_is_array") for each in ("{}", '"text"', "null")],
    ("pending", "payload_key = 'k'", "sealed_travels_by_reference"),
]


@pytest.mark.parametrize("status", VALID)
def test_a_row_may_be_in_each_status(undone: Connection, status: str) -> None:
    put(undone, **VALID[status])  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "change", "refused_by"), BAD)
def test_a_row_that_breaks_an_invariant_is_refused(
    undone: Connection, status: str, change: str, refused_by: str | None
) -> None:
    put(undone, **VALID[status])  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        undone.execute(f"UPDATE job_executions SET {change}".encode())
    assert refused_by in {None, caught.value.diag.constraint_name}


@pytest.mark.parametrize("column", ["job_id", "job_type", "payload", "max_attempts", "status", "errors"])
def test_a_row_without_what_it_needs_is_refused(undone: Connection, column: str) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        put(undone, **{column: None})


def test_each_invariant_of_the_table_is_tested(undone: Connection) -> None:
    there = undone.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'job_executions'::regclass AND contype = 'c'"
    ).fetchall()
    assert {row["conname"] for row in there} == {
        refused_by for _status, _change, refused_by in BAD if refused_by
    }


def test_a_replayed_job_may_be_pending_after_attempts(undone: Connection) -> None:
    put(undone, status="pending", run=2, attempt=1)


def test_a_job_id_is_there_once(undone: Connection) -> None:
    job_id = put(undone)
    with pytest.raises(psycopg.errors.UniqueViolation):
        put(undone, job_id=job_id)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ({}, {}, True),
        ({"organization_id": 1}, {"organization_id": 1}, True),
        ({}, {"organization_id": 1}, False),
        ({"organization_id": 1}, {"organization_id": 2}, False),
        ({"job_type": "send-email"}, {}, False),
        ({"idempotency_key": "other"}, {}, False),
        ({"idempotency_key": None}, {"idempotency_key": None}, False),
        ({"status": "cancelled"}, {}, True),
    ],
)
def test_an_idempotency_key_is_one_jobs_of_its_type_and_organization(
    undone: Connection, first: dict[str, Any], second: dict[str, Any], clash: bool
) -> None:
    key = {"idempotency_key": "k"}
    put(undone, **key | first)
    if clash:
        with pytest.raises(psycopg.errors.UniqueViolation):
            put(undone, **key | second)
    else:
        put(undone, **key | second)


@pytest.mark.parametrize(("attempt", "retries"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_retries_follow_from_attempts(undone: Connection, attempt: int, retries: int) -> None:
    job_id = put(undone, status="retrying", attempt=attempt)
    found = executions.find(undone, job_id)
    assert found is not None
    assert found.retry_count == retries
    with pytest.raises(psycopg.errors.GeneratedAlways):
        undone.execute("UPDATE job_executions SET retry_count = 9")


# --- queries -----------------------------------------------------------------------------------------------


@pytest.fixture
def seeded(connection: Connection) -> dict[str, uuid.UUID]:
    """Ten jobs, the first the newest, a minute apart."""
    rows: dict[str, dict[str, Any]] = {
        "a": {"user_id": 1, "organization_id": 8},
        "b": {"user_id": 1, "status": "failed", "attempt": 3},
        "c": {"user_id": 2, "job_type": "send-email", "organization_id": 9},
        "d": {"user_id": 1, "job_type": "send-email", "status": "completed", "attempt": 1},
        "e": {"status": "failed", "attempt": 1, "job_type": "send-email", "organization_id": 8},
        "f": {"status": "processing"},
        "g": {"status": "cancelled", "organization_id": 8},
        "h": {"status": "retrying", "attempt": 1, "job_type": "export-data"},
        "i": {"status": "failed", "user_id": 2},
        "j": {"user_id": 1},
    }
    now = datetime.now(UTC)
    return {
        name: put(connection, created_at=now - timedelta(minutes=number), **columns)
        for number, (name, columns) in enumerate(rows.items())
    }


def names(seeded: dict[str, uuid.UUID], found: list[Any]) -> str:
    by_id = {job_id: name for name, job_id in seeded.items()}
    return "".join(by_id[each.job_id] for each in found)


def test_the_latest_come_newest_first(connection: Connection, seeded: dict[str, uuid.UUID]) -> None:
    assert names(seeded, executions.latest(connection)) == "abcdefghij"
    assert names(seeded, executions.latest(connection, 3)) == "abc"


@pytest.mark.parametrize(
    ("job_type", "found"),
    [("crm-match", "abfgij"), ("send-email", "cde"), ("export-data", "h"), ("send-reminder", "")],
)
def test_the_latest_of_a_type(
    connection: Connection, seeded: dict[str, uuid.UUID], job_type: str, found: str
) -> None:
    assert names(seeded, executions.latest_by_type(connection, job_type)) == found
    assert names(seeded, executions.latest_by_type(connection, job_type, 2)) == found[:2]


def test_the_latest_dead_letters(connection: Connection, seeded: dict[str, uuid.UUID]) -> None:
    assert names(seeded, executions.latest_failed(connection)) == "bei"
    assert names(seeded, executions.latest_failed(connection, 1)) == "b"


@pytest.mark.parametrize(("user_id", "found"), [(1, "abdj"), (2, "ci"), (3, "")])
def test_the_latest_of_a_user(
    connection: Connection, seeded: dict[str, uuid.UUID], user_id: int, found: str
) -> None:
    assert names(seeded, executions.latest_by_user(connection, user_id)) == found
    assert names(seeded, executions.latest_by_user(connection, user_id, 1)) == found[:1]


@pytest.mark.parametrize(("organization_id", "found"), [(8, "aeg"), (9, "c"), (1, "")])
def test_the_latest_of_an_organization(
    connection: Connection, seeded: dict[str, uuid.UUID], organization_id: int, found: str
) -> None:
    assert names(seeded, executions.latest_by_organization(connection, organization_id)) == found
    assert names(seeded, executions.latest_by_organization(connection, organization_id, 2)) == found[:2]


def test_a_list_is_of_fifty_unless_told(connection: Connection) -> None:
    for _each in range(51):
        put(connection, user_id=1, organization_id=1, status="failed")
    assert len(executions.latest(connection)) == 50
    assert len(executions.latest_by_type(connection, "crm-match")) == 50
    assert len(executions.latest_failed(connection)) == 50
    assert len(executions.latest_by_user(connection, 1)) == 50
    assert len(executions.latest_by_organization(connection, 1)) == 50


def test_a_job_is_found_whole_by_its_id(connection: Connection) -> None:
    columns: dict[str, Any] = {
        "job_type": "send-email", "status": "failed", "payload": {"to": "ü"}, "result": [1, None], "error": "no luck",
        "errors": [{"attempt": 1}], "progress": {"done": 1}, "user_id": 2**63 - 1, "organization_id": 2,
        "idempotency_key": "k", "schedule_id": "daily", "parent_job_id": uuid.UUID(int=7), "run": 2, "attempt": 3, "max_attempts": 4, "publication": 5,
        "not_before": NOW, "published_at": NOW, "qstash_message_id": "msg_1", "dlq_id": "1-0", "started_at": NOW,
        "completed_at": NOW, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    jsons = {"payload", "result", "errors", "progress"}
    job_id = put(connection, **{k: Jsonb(v) if k in jsons else v for k, v in columns.items()})
    found = executions.find(connection, job_id)
    expected = columns | {"job_id": job_id, "retry_count": 2, "lease_expires_at": None}
    assert found is not None
    assert {name: getattr(found, name) for name in found.__slots__} == expected
    assert executions.find(connection, uuid.uuid4()) is None


def test_statistics_count_by_type_and_status_within_the_window(connection: Connection) -> None:
    now = datetime.now(UTC)

    def put_completed(seconds: int, age: timedelta, attempt: int = 1) -> None:
        ended = now - age
        started = ended - timedelta(seconds=seconds)
        put(
            connection,
            status="completed",
            attempt=attempt,
            started_at=started,
            completed_at=ended,
            created_at=started,
        )

    for seconds in range(1, 22):
        put_completed(seconds, timedelta(minutes=1), attempt=2)
    put_completed(1000, timedelta(hours=25))
    put(connection, status="failed", attempt=3, started_at=now, created_at=now - timedelta(hours=23))
    put(connection, status="failed", attempt=1, job_type="send-email")
    put(connection)
    assert executions.statistics(connection) == [
        TypeStatistics("crm-match", "completed", 21, 21, 11.0, 20.0),
        TypeStatistics("crm-match", "failed", 1, 2, None, None),
        TypeStatistics("crm-match", "pending", 1, 0, None, None),
        TypeStatistics("send-email", "failed", 1, 0, None, None),
    ]
    assert {(each.job_type, each.status): each.jobs for each in executions.statistics(connection, 3600)} == {
        ("crm-match", "completed"): 21,
        ("crm-match", "pending"): 1,
        ("send-email", "failed"): 1,
    }
    assert [each.jobs for each in executions.statistics(connection, 7 * 86_400)] == [22, 1, 1, 1]


def test_statistics_of_nothing_are_empty(connection: Connection) -> None:
    assert executions.statistics(connection) == []


def test_gauges_tell_what_waits_and_what_is_wrong(connection: Connection) -> None:
    now = datetime.now(UTC)
    assert executions.measure_queue(connection).oldest_pending == 0
    put(connection, created_at=now - timedelta(seconds=100), published_at=now)
    put(
        connection, created_at=now - timedelta(hours=2), not_before=now - timedelta(seconds=50)
    )  # due since 50 s
    put(
        connection,
        created_at=now - timedelta(hours=2),
        not_before=now + timedelta(hours=1),
        publish_after=now + timedelta(hours=1),
    )
    put(connection, status="retrying", attempt=1, publish_after=now - timedelta(seconds=1))
    put(
        connection,
        status="processing",
        started_at=now - timedelta(minutes=11),
        lease_expires_at=now - timedelta(minutes=1),
    )
    put(
        connection,
        status="processing",
        started_at=now - timedelta(minutes=11),
        lease_expires_at=now + timedelta(minutes=1),
    )
    put(connection, status="failed")
    put(connection, status="completed")
    measured = executions.measure_queue(connection)
    assert (measured.depth, measured.stuck, measured.dead_letters, measured.unpublished) == (4, 1, 1, 2)
    assert 100 <= measured.oldest_pending < 130


# --- statements and files ----------------------------------------------------------------------------------


def test_every_statements_file_is_used_and_every_one_used_is_there() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in PACKAGE.glob("*.py")]
    files = {path.stem for path in SQL.iterdir()}
    position = {"sql": 0, "_shown": 1, "execute": 1, "one": 2, "every": 2}
    used = {
        argument.value
        for tree in trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and (name := ast.unparse(call.func).rpartition(".")[2]) in position
        for argument in call.args[position[name] : position[name] + 1]
        if isinstance(argument, ast.Constant)
    }
    assert used == files


@pytest.mark.parametrize("path", sorted(SQL.iterdir()), ids=lambda path: path.stem)
def test_a_file_is_one_statement_named_by_its_verb(path: Path) -> None:
    text = "\n".join(line.partition("--")[0] for line in path.read_text("utf-8").splitlines())
    assert path.suffix == ".sql"
    assert ";" not in text
    assert "_" in path.stem
    assert text.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}


# What a statement needs to run; a list makes for an array.
VALUES: dict[str, Any] = {
    "job_id": uuid.UUID(int=1), "job_ids": [uuid.UUID(int=1)], "job_type": "send-reminder", "user_id": 78,
    "organization_id": 5, "idempotency_key": "k50", "payload": Jsonb({}), "limit": 50, "window": 86_400,
    "max_delay": 604_800, "publication": 1, "lease": 60, "message_id": "msg", "lost": "lost", "attempt": 1, "delivery": None,
    "result": None, "message": "no luck", "type": "E", "traceback": None, "permanent": False, "retry_after": None,
    "progress": Jsonb({}), "dlq_id": None, "run": 1,
    "max_attempts": 3, "publish_options": Jsonb({}), "failure_callback": None, "not_before": None, "delay": None,
    "schedule_id": None, "jobs": Jsonb([]), "failed_after": None, "failed_before": None,
    "error": None, "publications": [1], "message_ids": ["msg"], "batch_id": uuid.UUID(int=2), "total": 1, "then_job": Jsonb({}), "name": "a", "mark": 1,
    "payload_key": None, "by_reference": False, "result_key": None, "payload_id": None,
    "endpoints": ["https://a.example.com"], "job_types": ["send-reminder"], "urls": ["https://a.example.com"],
}  # fmt: skip
INDEX_OF = {
    "list_latest": "job_executions_created",
    "list_latest_by_type": "job_executions_type",
    "list_latest_failed": "job_executions_status",
    "list_latest_by_user": "job_executions_user",
    "list_latest_by_organization": "job_executions_organization",
    "count_by_type_and_status": "job_executions_created",
    "measure_queue": "job_executions_status",
    "take_unpublished": "job_executions_unpublished",
    "requeue_expired": "job_executions_lease",
    "take_untold_failures": "job_executions_untold",
    "find_accepted": "job_executions_(idempotency|key)",  # as good as the same where a key is one job's
    "find_job": "job_executions_job_id_key",
    "claim_job": "job_executions_job_id_key",
    "complete_job": "job_executions_job_id_key",
}
# Where the time decides, it must find the index's beginning or end, and not be asked of each entry in turn.
TIME_OF = {
    "count_by_type_and_status": "created_at >= ",
    "take_unpublished": "publish_after <= ",
    "requeue_expired": "lease_expires_at < ",
    "measure_queue": "publish_after <= ",
}


@pytest.fixture(scope="module")
def crowded(module_database: str) -> Iterator[Connection]:
    """20,000 jobs of 100 days, of which few wait or are wrong, as it is in a table that has been used for a while."""
    with psycopg.connect(
        module_database, autocommit=True, row_factory=dict_row, prepare_threshold=None
    ) as connection:
        connection.execute(SEED)
        connection.execute("ANALYZE job_executions")
        yield connection


SEED = """
INSERT INTO job_executions (
    job_id, job_type, status, payload, error, user_id, organization_id, idempotency_key, attempt, max_attempts,
    lease_expires_at, published_at, publish_after, failure_callback, started_at, completed_at, created_at)
SELECT gen_random_uuid(),
    CASE WHEN n % 100 = 7 THEN 'send-reminder'
        ELSE (ARRAY['send-email', 'crm-match', 'export-data', 'process-webhook'])[1 + n % 4] END,
    status, '{"text": "as long as a payload may well be"}',
    CASE WHEN status = 'failed' THEN 'no luck' END,
    CASE WHEN n % 3 = 0 THEN n % 500 END,
    CASE WHEN n % 2 = 0 THEN n % 90 END,
    CASE WHEN n % 10 = 0 THEN 'k' || n END,
    CASE WHEN status = 'pending' THEN 0 ELSE 1 END, 3,
    CASE WHEN status = 'processing' THEN now() - n * interval '1 second' END,
    CASE WHEN n % 1000 <> 1 THEN created END, created,
    CASE WHEN n % 4 = 0 THEN 'https://app.example.com' END,
    CASE WHEN status <> 'pending' THEN created END,
    CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN created END, created
FROM (
    SELECT n, now() - n * interval '7 minutes' AS created,
        CASE WHEN n % 200 = 0 THEN 'failed' WHEN n % 200 = 1 THEN 'pending' WHEN n % 400 = 2 THEN 'processing'
            WHEN n % 400 = 3 THEN 'retrying' WHEN n % 100 = 4 THEN 'cancelled' ELSE 'completed' END AS status
    FROM generate_series(1, 20000) AS n) AS seed
"""


def plan(connection: Connection, name: str) -> str:
    values = dict(VALUES)
    if name == "take_untold_failures":
        values["job_id"] = None
    rows = connection.execute(f"EXPLAIN {statements.sql(name)}".encode(), values).fetchall()
    return "\n".join(row["QUERY PLAN"] for row in rows)


OPERATORS = {"count_by_payload_key"}  # asked by hand, once in a while, and not worth an index


@pytest.mark.parametrize("name", sorted({path.stem for path in SQL.glob("*.sql")} - OPERATORS))
def test_no_statement_reads_the_whole_table(crowded: Connection, name: str) -> None:
    shown = plan(crowded, name)
    assert "Seq Scan on job_executions" not in shown, shown


@pytest.mark.parametrize("name", INDEX_OF)
def test_a_query_reads_the_index_made_for_it(crowded: Connection, name: str) -> None:
    shown = plan(crowded, name)
    assert re.search(rf"\b{INDEX_OF[name]}\b", shown), shown


@pytest.mark.parametrize("name", TIME_OF)
def test_the_time_is_looked_up_in_the_index_and_not_asked_of_each_entry(
    crowded: Connection, name: str
) -> None:
    """A volatile function such as clock_timestamp() cannot be looked up; statement_timestamp() can."""
    shown = plan(crowded, name)
    assert re.search(rf"Index Cond: .*{TIME_OF[name]}", shown), shown


# --- a caller's own connection -----------------------------------------------------------------------------


def new_job(**changes: Any) -> NewJob:
    made: dict[str, Any] = {
        "job_id": new_job_id(),
        "job_type": "crm-match",
        "payload": {"text": "hi"},
        "max_attempts": 3,
        "publish_options": {"retries": 5},
    }
    return NewJob(**made | changes)


@pytest.mark.parametrize("row_factory", [tuple_row, dict_row, namedtuple_row, scalar_row])
@pytest.mark.parametrize("prepare_threshold", [None, 0], ids=["unprepared", "prepared"])
def test_a_job_is_accepted_on_any_connection(
    database_url: str, row_factory: Any, prepare_threshold: int | None
) -> None:
    job = new_job(idempotency_key="k")
    again = new_job(idempotency_key="k", payload={"text": "other"})
    with psycopg.connect(database_url, row_factory=row_factory, prepare_threshold=prepare_threshold) as own:
        (accepted,) = executions.insert(own, [job], 604_800)
        assert (accepted.job_id, accepted.payload, accepted.within_reach) == (
            job.job_id,
            {"text": "hi"},
            True,
        )
        assert executions.insert(own, [again], 604_800) == []
        assert executions.find_accepted(own, again) == (job.job_id, False)
        assert executions.find_accepted(own, job) == (job.job_id, True)
        assert executions.find_accepted(own, new_job()) is None
