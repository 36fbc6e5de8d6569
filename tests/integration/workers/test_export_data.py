"""export-data: which rows are in the file, its record, and the mail that tells of it."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from datetime import datetime, timedelta

import pytest

from functions.export_data import query, streaming
from infra.seed import Seeded
from shared.database import Connection
from shared.jobs.export_data import COLUMNS, EntityType, ExportData, ExportFilters, ExportFormat
from shared.registry import JobType
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.exporting import Exporter, cells, completed, moment, objects

# Independent of the worker's statements: which rows an organization has.
ROWS = {
    EntityType.USERS: "app.users WHERE id IN (SELECT user_id FROM app.memberships WHERE organization_id = %s)",
    EntityType.MEMBERSHIPS: "app.memberships WHERE organization_id = %s",
    EntityType.SUBSCRIPTIONS: "app.subscriptions WHERE organization_id = %s",
    EntityType.INVOICES: "app.invoices WHERE organization_id = %s",
    EntityType.ACTIVITY_LOGS: "app.activity_logs WHERE organization_id = %s",
    EntityType.LISTINGS: "app.listings WHERE organization_id = %s",
    EntityType.APPLICATIONS: "app.applications WHERE organization_id = %s",
    EntityType.JOB_EXECUTIONS: "job_executions WHERE organization_id = %s",
}
NOTHING = ExportFilters(created_before=datetime.fromisoformat("1999-01-01T00:00:00Z"))


@pytest.fixture
def export(run: Runner, files: Files, seeded: Seeded) -> Exporter:
    """Exports the first organization's rows."""
    return Exporter(run, files, seeded.organization_id)


def count(connection: Connection, rows: str, *values: object) -> int:
    found = connection.execute(f"SELECT count(*) FROM {rows}".encode(), values).fetchone()
    assert found is not None
    return int(found["count"])


# --- rows -----------------------------------------------------------------------------------------------------


def test_a_csv_file_holds_every_row(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    found = cells(export(entity_type="activity_logs"))
    rows = connection.execute(
        "SELECT * FROM app.activity_logs WHERE organization_id = %s ORDER BY occurred_at, id",
        [seeded.organization_id],
    ).fetchall()
    assert len(found) == len(rows) > 1_000
    for line, row in zip(found, rows, strict=True):
        assert list(line) == list(COLUMNS[EntityType.ACTIVITY_LOGS])
        assert int(line["id"]) == row["id"]
        assert line["user_id"] == ("" if row["user_id"] is None else str(row["user_id"]))
        assert (line["action"], line["source"]) == (row["action"], row["source"])
        assert json.loads(line["data"]) == row["data"]
        assert moment(line["occurred_at"]) == row["occurred_at"]
        assert line["occurred_at"].endswith("Z")


def test_a_json_lines_file_holds_every_row(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    found = objects(export(entity_type="listings", format="jsonl"))
    rows = connection.execute(
        "SELECT * FROM app.listings WHERE organization_id = %s ORDER BY id", [seeded.organization_id]
    ).fetchall()
    assert len(found) == len(rows) > 0
    for line, row in zip(found, rows, strict=True):
        assert list(line) == list(COLUMNS[EntityType.LISTINGS])
        for name in ("id", "title", "price", "bedrooms", "amenities", "photos", "cats_allowed", "unit"):
            assert line[name] == row[name]
        assert line["latitude"] == pytest.approx(float(row["latitude"]))
        assert moment(line["updated_at"]) == row["updated_at"]


@pytest.mark.parametrize("entity", EntityType)
def test_each_entity_holds_the_organizations_rows_and_no_others(
    export: Exporter, seeded: Seeded, connection: Connection, entity: EntityType
) -> None:
    names = ", ".join(f"{name}::text" for name in COLUMNS[entity])
    for organization in (seeded.organization_id, seeded.other_organization_id):
        for file_format, read in ((ExportFormat.CSV, cells), (ExportFormat.JSONL, objects)):
            job = export.job(ExportData(entity_type=entity, format=file_format), organization_id=organization)
            result = completed(job)
            found = read(export.files.read(result["key"]))
            expected = connection.execute(
                f"SELECT {names} FROM {ROWS[entity]}".encode(), [organization]
            ).fetchall()
            assert len(found) == result["rows"] == len(expected) > 0
            key = COLUMNS[entity][0]
            assert {str(row[key]) for row in found} == {row[key] for row in expected}
            assert all(list(row) == list(COLUMNS[entity]) for row in found)


def test_pages_meet_also_where_times_are_the_same(
    export: Exporter, seeded: Seeded, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (query, streaming):
        monkeypatch.setattr(module, "PAGE", 3)
    connection.execute(
        """INSERT INTO app.activity_logs (organization_id, action, source, occurred_at)
        SELECT %s, 'a.b', 'test', timestamptz '2026-03-01 12:00:00.123456Z' + (number / 7) * interval '1 microsecond'
        FROM generate_series(1, 24) AS number""",
        [seeded.organization_id],
    )
    for file_format, read in (("csv", cells), ("jsonl", objects)):
        payload = ExportData(
            entity_type="activity_logs", format=file_format, columns=["id"], filters={"source": "test"}
        )
        job = export.job(payload)
        found = [int(row["id"]) for row in read(export.files.read(completed(job)["key"]))]
        assert (found, len(found)) == (sorted(found), 24)
        assert job.progress == {"done": 24, "total": 24, "message": "rows exported"}


def test_columns_and_their_order(export: Exporter) -> None:
    content = export(entity_type="invoices", columns=["status", "number", "amount_due"])
    assert content.split(b"\r\n")[0] == b"status,number,amount_due"


def test_filters(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    before = seeded.now - timedelta(days=60)
    after = before - timedelta(days=365)
    filters = ExportFilters(status=["paid", "open"], created_after=after, created_before=before)
    found = cells(export(entity_type="invoices", columns=["status", "created_at"], filters=filters))
    rows = "app.invoices WHERE organization_id = %s AND status IN ('paid', 'open') AND created_at < %s AND created_at >= %s"
    assert len(found) == count(connection, rows, seeded.organization_id, before, after) > 0
    assert {row["status"] for row in found} <= {"paid", "open"}


def test_the_bounds_of_time(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    at = seeded.now + timedelta(days=1)
    for action, occurred_at in (("at", at), ("later", at + timedelta(microseconds=1))):
        connection.execute(
            "INSERT INTO app.activity_logs (organization_id, action, occurred_at) VALUES (%s, %s, %s)",
            [seeded.organization_id, action, occurred_at],
        )
    filters = ExportFilters(created_after=at, created_before=at + timedelta(microseconds=1))
    content = export(entity_type="activity_logs", columns=["action"], filters=filters)
    assert content == b"action\r\nat\r\n"


def test_a_value_of_a_filter_is_only_a_value(export: Exporter) -> None:
    evil = "x') OR true --\\ %s {}"
    for source in (evil, [evil, "'; DROP TABLE app.activity_logs"]):
        content = export(entity_type="activity_logs", columns=["id"], filters={"source": source})
        assert content == b"id\r\n"


def test_nothing_to_export_is_a_file_of_no_rows(export: Exporter) -> None:
    assert export(entity_type="memberships", filters=NOTHING) == b"user_id,role,created_at\r\n"
    assert export(entity_type="memberships", filters=NOTHING, format="jsonl") == b""


def test_what_may_leave_is_there_and_holds_no_secret(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema IN ('app', 'public')"
    ).fetchall()
    there = {(row["table_name"], row["column_name"]) for row in rows}
    for entity, columns in COLUMNS.items():
        assert {(entity.value, column) for column in columns} <= there
    leaving = {column for columns in COLUMNS.values() for column in columns}
    secret = {"payload", "result", "error", "errors", "hosted_invoice_url", "idempotency_key", "progress"}
    assert leaving & secret == set()


# --- what comes of it -----------------------------------------------------------------------------------------


def test_result_record_and_link(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    job = export.job(ExportData(entity_type="invoices"), user_id=seeded.owner_id)
    result = completed(job)
    content = export.files.read(result["key"])
    assert export.files.keys() == [result["key"]] == [f"exports/{seeded.organization_id}/{job.job_id}.csv"]
    assert result["bucket"] == export.files.bucket
    assert (result["bytes"], result["checksum"]) == (len(content), hashlib.sha256(content).hexdigest())
    with urllib.request.urlopen(result["url"]) as answer:
        assert answer.read() == content
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert f"invoices-{job.created_at:%Y-%m-%d}.csv" in answer.headers["Content-Disposition"]

    record = connection.execute("SELECT * FROM app.exports WHERE job_id = %s", [job.job_id]).fetchone()
    assert record is not None
    for name in ("bucket", "key", "rows", "bytes", "checksum"):
        assert record[name] == result[name]
    assert (record["entity"], record["format"]) == ("invoices", "csv")
    assert (record["organization_id"], record["user_id"]) == (seeded.organization_id, seeded.owner_id)
    assert record["expires_at"] == moment(result["expiresAt"]) > record["created_at"] + timedelta(hours=5)


def test_who_asked_is_told(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    connection.execute("UPDATE app.users SET name = %s WHERE id = %s", ["A" * 200, seeded.owner_id])
    result = completed(export.job(ExportData(entity_type="activity_logs"), user_id=seeded.owner_id))
    (mail,) = export.run.accepted(JobType.SEND_EMAIL)
    owner = connection.execute("SELECT email FROM app.users WHERE id = %s", [seeded.owner_id]).fetchone()
    assert owner is not None
    assert (mail.payload["to"], mail.payload["template"]) == (owner["email"], "exportReady")
    assert (mail.user_id, mail.organization_id) == (seeded.owner_id, seeded.organization_id)
    told = mail.payload["data"]
    assert (told["name"], told["what"]) == ("A" * 100, "Activity log")  # as long as a mail's texts may be
    assert (told["rows"], told["size"]) == (result["rows"], result["bytes"])
    assert (told["downloadUrl"], moment(told["expiresAt"])) == (result["url"], moment(result["expiresAt"]))


def test_only_a_member_is_told(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    stranger = connection.execute(
        "SELECT user_id FROM app.memberships WHERE organization_id = %s", [seeded.other_organization_id]
    ).fetchone()
    assert stranger is not None
    for user_id in (None, stranger["user_id"], 10**9):
        job = export.job(ExportData(entity_type="users"), user_id=user_id)
        completed(job)
    assert export.run.accepted(JobType.SEND_EMAIL) == []


@pytest.mark.parametrize(
    ("column", "value"), [("email", "ada@localhost"), ("name", "Ada\nBcc: x@example.com")]
)
def test_a_name_or_address_that_no_mail_can_carry_does_not_spoil_the_export(
    export: Exporter, seeded: Seeded, connection: Connection, column: str, value: str
) -> None:
    connection.execute(f"UPDATE app.users SET {column} = %s WHERE id = %s".encode(), [value, seeded.owner_id])
    completed(export.job(ExportData(entity_type="users"), user_id=seeded.owner_id))
    assert export.run.accepted(JobType.SEND_EMAIL) == []


@pytest.mark.parametrize(
    ("organization_id", "reason"),
    [(None, "enqueue it with organization_id"), (10**9, "there is no such organization")],
)
def test_without_an_organization(export: Exporter, organization_id: int | None, reason: str) -> None:
    job = export.job(ExportData(entity_type="users"), organization_id=organization_id)
    assert (job.status, job.attempt) == ("failed", 1)
    assert reason in (job.error or "")
    assert export.files.keys() == []
