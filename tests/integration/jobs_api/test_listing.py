"""Lists: every filter and every page against a plain model, and each from the index made for it."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from functions.jobs_api.access import limits
from functions.jobs_api.reading import listing
from functions.jobs_api.reading.cursors import Place, read_cursor, to_cursor
from functions.jobs_api.reading.listing import DRIVES, drive_of, scan_of, values_of
from functions.jobs_api.shapes import Filters
from functions.jobs_api.sql import statement
from shared.database import Connection
from shared.envelope import new_job_id
from shared.registry import JobType
from tests.conftest import UrlOf
from tests.integration.jobs_api.conftest import Keys
from tests.integration.jobs_api.rows import NOBODYS, failed
from tests.integration.test_executions import SEED, put

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = ("pending", "processing", "retrying", "completed", "failed", "cancelled")


@dataclass(frozen=True)
class Row:
    """A job as the model knows it."""

    job_id: str
    values: dict[str, Any]


def crowd(connection: Connection, rows: int) -> list[Row]:
    """Random jobs, some accepted at the very same moment; newest first."""
    chance = random.Random(4)
    batch_id = new_job_id()
    connection.execute(
        "INSERT INTO job_batches (id, total, remaining, then_job_id, then_job) VALUES (%s, 9, 9, %s, %s)",
        [batch_id, new_job_id(), Jsonb({})],
    )
    made = []
    for number in range(rows):
        status = chance.choice(STATUSES)
        values = {
            "status": status,
            "job_type": chance.choice(["crm-match", "send-email"]),
            "user_id": chance.choice([None, 1, 2]),
            "organization_id": chance.choice([None, 7, 8]),
            "schedule_id": chance.choice([None, None, "nightly"]),
            "batch_id": chance.choice([None, None, batch_id]),
            "parent_job_id": chance.choice([None, None, NOBODYS]),
            "idempotency_key": chance.choice([None, f"key {number}"]),
            "created_at": NOW + timedelta(seconds=chance.randrange(rows // 3)),
            "error": chance.choice(["Rate limit 7", "rate LIMIT 8", "gone"]) if status == "failed" else None,
            "attempt": 0 if status == "pending" else 1,
        }
        made.append(Row(str(put(connection, **values)), values))
    ids = {
        str(row["job_id"]): row["id"] for row in connection.execute("SELECT id, job_id FROM job_executions")
    }
    return sorted(made, key=lambda row: (row.values["created_at"], ids[row.job_id]), reverse=True)


def fits(row: Row, filters: dict[str, Any]) -> bool:
    """What a filter means, said plainly."""
    values, asked = row.values, dict(filters)
    after, before = asked.pop("createdAfter", None), asked.pop("createdBefore", None)
    text = asked.pop("error", None)
    if text is not None:
        asked.setdefault("status", "failed")
    columns = {"type": "job_type", "userId": "user_id", "organizationId": "organization_id", "scheduleId": "schedule_id",
               "batchId": "batch_id", "parentJobId": "parent_job_id", "idempotencyKey": "idempotency_key", "status": "status"}  # fmt: skip
    return (
        all(str(values[columns[name]]) == str(value) for name, value in asked.items())
        and (after is None or values["created_at"] >= datetime.fromisoformat(after))
        and (before is None or values["created_at"] < datetime.fromisoformat(before))
        and (text is None or text.lower() in (values["error"] or "").lower())
    )


def pages(keys: Keys, filters: dict[str, Any], limit: int) -> list[str]:
    """All pages, one after the other."""
    found: list[str] = []
    cursor = None
    while True:
        limits.forget()  # these are more than a minute allows
        page = keys.ops.get("/v1/jobs", limit=limit, cursor=cursor, **filters).json
        found += [job["jobId"] for job in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            return found
        assert len(page["jobs"]) == limit or page["searchedTo"]


def test_every_filter_and_page_is_as_the_model_says(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_SCAN", 40)  # so that a search stops and goes on
    monkeypatch.setattr(listing, "_SCAN_ERRORS", 25)
    rows = crowd(connection, 300)
    batch_id = next(row.values["batch_id"] for row in rows if row.values["batch_id"])
    key = next(row.values["idempotency_key"] for row in rows if row.values["idempotency_key"])
    choices: dict[str, list[Any]] = {
        "type": ["crm-match", "send-email"],
        "status": list(STATUSES),
        "userId": [1, 2],
        "organizationId": [7, 8],
        "scheduleId": ["nightly"],
        "batchId": [str(batch_id)],
        "parentJobId": [str(NOBODYS)],
        "idempotencyKey": [key, "no such key"],
        "createdAfter": [(NOW + timedelta(seconds=30)).isoformat()],
        "createdBefore": [(NOW + timedelta(seconds=70)).isoformat()],
        "error": ["rate limit", "GONE", "nothing says so"],
    }
    chance = random.Random(5)
    asked = [{}, *({name: value} for name, values in choices.items() for value in values)]
    asked += [
        {name: chance.choice(choices[name]) for name in chance.sample(sorted(choices), chance.randint(2, 3))}
        for _combination in range(60)
    ]
    nonempty = 0
    for filters in asked:
        expected = [row.job_id for row in rows if fits(row, filters)]
        assert pages(keys, filters, chance.choice([1, 7, 50])) == expected, filters
        counted = keys.ops.get("/v1/jobs/count", **filters).json
        assert counted == {"count": len(expected), "complete": True}, filters
        nonempty += bool(expected)
    assert nonempty > len(asked) / 3


def test_a_page_says_how_far_was_looked(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_SCAN", 3)
    for number in range(5):
        put(connection, user_id=1, job_type="send-email" if number == 0 else "crm-match")
    first = keys.ops.get("/v1/jobs", userId=1, type="send-email").json
    assert (first["jobs"], first["searchedTo"] is not None) == ([], True)
    second = keys.ops.get("/v1/jobs", userId=1, type="send-email", cursor=first["next"]).json
    assert (len(second["jobs"]), second["next"], second["searchedTo"]) == (1, None, None)


def test_jobs_of_one_transaction_are_accepted_one_after_the_other(connection: Connection) -> None:
    """Else all would lie at one place of the index, and each page would sort them all."""
    with connection.transaction():
        for _number in range(3):
            put(connection)
    row = connection.execute("SELECT count(DISTINCT created_at) AS moments FROM job_executions").fetchone()
    assert row == {"moments": 3}


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "AAAA",
        "A" * 24,
        "!" * 24,
        "é",
        "AQAAAAAAAAAA__________8",
        "AQAAAAAAAAAA__________9=",
        "/" * 24,
    ],
)
def test_a_broken_cursor_is_refused(keys: Keys, cursor: str) -> None:
    answer = keys.ops.get("/v1/jobs", cursor=cursor)
    assert (answer.status, answer.json["error"]) == (400, "the cursor is none of ours: begin without one")


def test_a_cursor_leads_back_to_its_place() -> None:
    for place in (Place(NOW, 1), Place(NOW + timedelta(microseconds=1), 2**63 - 1)):
        assert read_cursor(to_cursor(place)) == place


def test_dead_letters_are_grouped_by_what_went_wrong_and_replayed_so(
    keys: Keys, connection: Connection
) -> None:
    for number in range(6):
        failed(
            connection,
            error=f"customer {number} of 0190aaaa-bbbb-cccc-dddd-eeeeffff000{number} is over its limit\nmore {number}",
        )
    failed(connection, error="no such listing", organization_id=7)
    failed(connection, error="no such listing", job_type="send-email")
    answer = keys.ops.get("/v1/dead-letters").json
    assert [(each["type"], each["jobs"]) for each in answer["groups"]] == [
        ("crm-match", 6),
        ("crm-match", 1),
        ("send-email", 1),
    ]
    assert (answer["lookedAt"], answer["complete"]) == (8, True)
    group = answer["groups"][0]["errorGroup"]
    assert keys.ops.get("/v1/jobs/count", errorGroup=group).json["count"] == 6
    done = keys.ops.post("/v1/jobs/replay", {"filter": {"errorGroup": group}}).json
    assert len(done["jobIds"]) == 6
    own = keys.own.get("/v1/dead-letters").json
    assert [(each["type"], each["jobs"]) for each in own["groups"]] == [("crm-match", 1)]


# --- indexes -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowded(server_url: str, template: str, url_of: UrlOf) -> Iterator[Connection]:
    """20,000 jobs of 100 days."""
    name = f"crowded_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        with psycopg.connect(
            url_of(name), autocommit=True, row_factory=dict_row, prepare_threshold=None
        ) as opened:
            opened.execute(SEED)
            opened.execute(
                "INSERT INTO job_batches SELECT gen_random_uuid(), 9, 9, gen_random_uuid(), '{}' FROM generate_series(1, 40)"
            )
            opened.execute(
                "UPDATE job_executions SET batch_id = (SELECT id FROM job_batches ORDER BY id OFFSET job_executions.id % 40 LIMIT 1) "
                "WHERE id % 20 = 0"
            )
            opened.execute(
                "UPDATE job_executions SET parent_job_id = lpad(id % 90 || '', 32, '0')::uuid WHERE id % 25 = 0"
            )
            opened.execute(
                "INSERT INTO job_batches SELECT gen_random_uuid(), 9, 9, gen_random_uuid(), "
                "jsonb_build_object('organization_id', n % 500) FROM generate_series(1, 5000) AS n"
            )
            opened.execute("ANALYZE job_batches")
            opened.execute("UPDATE job_executions SET schedule_id = 's' || id % 7 WHERE id % 30 = 0")
            opened.execute("VACUUM ANALYZE job_executions")
            yield opened
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


ASKED = [
    Filters(idempotency_key="k50"),
    Filters(idempotency_key="k50", organization_id=50),
    Filters(batch_id=uuid.UUID(int=5)),
    Filters(parent_job_id=uuid.UUID(int=5)),
    Filters(parent_job_id=uuid.UUID(int=5), organization_id=6, status="completed"),
    Filters(schedule_id="s3"),
    Filters(user_id=78),
    Filters(organization_id=6, status="failed"),
    Filters(organization_id=6, status="pending", type=JobType.SEND_EMAIL),
    Filters(organization_id=6),
    Filters(organization_id=6, status="completed"),
    Filters(type=JobType.SEND_EMAIL, status="failed"),
    Filters(type=JobType.SEND_EMAIL, status="failed", error="luck"),
    Filters(status="failed", error="luck"),
    Filters(status="retrying"),
    Filters(type=JobType.SEND_REMINDER),
    Filters(type=JobType.SEND_REMINDER, status="completed"),
    Filters(),
    Filters(status="completed", created_after=NOW),
]


def test_each_index_is_asked_for_here() -> None:
    assert {drive_of(filters).read_from for filters in ASKED} == {drive.read_from for drive in DRIVES}


SORTED_AHEAD = 64  # rows: what was accepted at the same moment is sorted by id


@pytest.mark.parametrize("name", ["list_jobs", "count_jobs"])
@pytest.mark.parametrize(
    "place", [None, Place(datetime.now(UTC) - timedelta(days=1), 10_000)], ids=["first", "later"]
)
@pytest.mark.parametrize("filters", ASKED, ids=lambda filters: "-".join(filters.given) or "all")
def test_a_list_reads_its_index_and_no_more_rows_than_it_may(
    crowded: Connection, filters: Filters, place: Place | None, name: str
) -> None:
    values = values_of(filters, place) | {"limit": 51, "scan": scan_of(filters, 50)}
    rows = crowded.execute(b"EXPLAIN (ANALYZE, TIMING OFF) " + statement(name), values).fetchall()
    shown = "\n".join(row["QUERY PLAN"] for row in rows)
    assert re.search(rf"\b{drive_of(filters).read_from}\b", shown), shown
    assert "Seq Scan on job_executions" not in shown, shown
    read = [int(number) for number in re.findall(r"Scan.* on job_executions .*actual rows=(\d+)", shown)]
    assert all(number <= values["scan"] + SORTED_AHEAD for number in read), shown
    removed = sum(int(number) for number in re.findall(r"Rows Removed by Filter: (\d+)", shown))
    assert removed <= values["scan"], shown


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("list_dead_letters", "job_executions_status"),
        ("count_window", "job_executions_created"),
        ("count_steps", "job_executions_created"),
        ("count_statuses", "job_executions_created"),
        ("list_schedule_runs", "job_executions_schedule"),
        ("show_job", "job_executions_job_id_key"),
        ("find_owner", "job_executions_job_id_key"),
    ],
)
@pytest.mark.parametrize("organization_id", [None, 6])
def test_figures_read_their_index(
    crowded: Connection, name: str, index: str, organization_id: int | None
) -> None:
    values = {
        "organization_id": organization_id, "window": 86_400, "scan": 1_000, "begins": datetime.now(UTC) - timedelta(days=1),
        "seconds": 3600, "steps": 24, "schedule_ids": ["s1", "s2"], "job_id": uuid.UUID(int=1),
    }  # fmt: skip
    rows = crowded.execute(b"EXPLAIN " + statement(name), values).fetchall()
    shown = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "Seq Scan on job_executions" not in shown, shown
    if organization_id is None:
        assert re.search(rf"\b{index}\b", shown), shown


def test_an_organizations_gauges_read_its_index(crowded: Connection) -> None:
    values = {"organization_id": 6, "scan": 1_000}
    rows = crowded.execute(b"EXPLAIN " + statement("measure_organization"), values).fetchall()
    shown = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "Seq Scan on job_executions" not in shown, shown
    assert "job_executions_organization_status" in shown, shown


@pytest.mark.parametrize("before", [None, uuid.UUID(int=2**127)])
@pytest.mark.parametrize(
    ("organization_id", "index"), [(None, "job_batches_pkey"), (6, "job_batches_organization")]
)
def test_batches_are_read_from_their_index(
    crowded: Connection, organization_id: int | None, index: str, before: uuid.UUID | None
) -> None:
    values = {"organization_id": organization_id, "before": before, "limit": 51}
    rows = crowded.execute(b"EXPLAIN (ANALYZE, TIMING OFF) " + statement("list_batches"), values).fetchall()
    shown = "\n".join(row["QUERY PLAN"] for row in rows)
    assert re.search(rf"\b{index}\b", shown), shown
    assert "Rows Removed" not in shown, shown


def test_a_chain_is_read_from_its_indexes(crowded: Connection) -> None:
    values = {"job_id": uuid.UUID(int=1), "organization_id": None, "scan": 21}
    rows = crowded.execute(b"EXPLAIN " + statement("show_job"), values).fetchall()
    shown = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "job_executions_children" in shown, shown
    assert "Seq Scan on job_executions" not in shown, shown
