"""cleanup-old-data: what is old goes, and nothing that anybody may still need."""

from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from functions.cleanup_old_data import deleting, tables
from functions.cleanup_old_data import files as expired_files
from functions.cleanup_old_data.deleting import OldRows
from infra.seed import Seeded
from shared import dispatcher, executions
from shared.database import Connection
from shared.jobs.cleanup_old_data import CleanupOldData, Retention
from tests.integration.workers.cleaning import TABLES, Cleaner
from tests.integration.workers.conftest import Files, Runner

KEPT = Retention(
    completed_jobs=None, cancelled_jobs=None, failed_jobs=None, webhook_events=None, email_deliveries=None,
    activity_logs=None,
)  # fmt: skip


@pytest.fixture
def clean(run: Runner, files: Files, connection: Connection) -> Cleaner:
    """Runs it on a database in which nothing is old."""
    cleaner = Cleaner(run, files, connection)
    cleaner.empty()
    return cleaner


# --- by age ---------------------------------------------------------------------------------------------------


def test_each_table_has_its_own_days(clean: Cleaner, seeded: Seeded) -> None:
    for days in (1.9, 2.1):
        clean.add_log(seeded.organization_id, days)
        clean.add_event("processed", days + 1)
        clean.add("app.email_deliveries", recipient="ada@example.com", queued_at=clean.ago(days + 2))
        clean.add_job("completed", days + 3)
        clean.add_job("cancelled", days + 4)
        clean.add_job("failed", days + 5)
    retention = Retention(
        activity_logs=2,
        webhook_events=3,
        email_deliveries=4,
        completed_jobs=5,
        cancelled_jobs=6,
        failed_jobs=7,
    )
    each_once = {
        "activity_logs": 1, "webhook_events": 1, "email_deliveries": 1, "completed_jobs": 1, "cancelled_jobs": 1,
        "failed_jobs": 1,
    }  # fmt: skip
    assert clean(CleanupOldData(retention=retention, dry_run=True)) == each_once
    assert clean(CleanupOldData(retention=KEPT)) == {}
    assert clean(CleanupOldData(retention=retention)) == each_once
    assert clean(CleanupOldData(retention=retention)) == {}
    for rows in ("app.activity_logs", "app.webhook_events", "app.email_deliveries"):
        assert len(clean.ids(rows)) == 1
    assert len(clean.ids("job_executions WHERE job_type = 'send-email'")) == 3


def test_by_default_dead_letters_are_kept_longer(clean: Cleaner) -> None:
    for status in ("completed", "cancelled", "failed"):
        clean.add_job(status, 40)
    assert clean() == {"completed_jobs": 1, "cancelled_jobs": 1}
    clean.add_job("failed", 200)
    assert clean() == {"failed_jobs": 1}


def test_a_result_names_every_table(clean: Cleaner) -> None:
    job = clean.job(CleanupOldData())
    assert job.result == {"deleted": dict.fromkeys(TABLES, 0), "finished": True, "dryRun": False}


def test_a_dry_run_only_counts(clean: Cleaner, seeded: Seeded) -> None:
    clean.add_job("completed", 400)
    clean.add_log(seeded.organization_id, 400)
    clean.add_file("exports", seeded.organization_id, 1)
    before = clean.files.keys()
    job = clean.job(CleanupOldData(dry_run=True, archive=True))
    assert job.result == {
        "deleted": dict.fromkeys(TABLES, 0) | {"completed_jobs": 1, "activity_logs": 1, "exports": 1},
        "finished": True,
        "dryRun": True,
    }
    assert len(clean.ids("app.activity_logs")) == 1
    assert clean.files.keys() == before


def test_of_one_organization(clean: Cleaner, seeded: Seeded) -> None:
    ours, theirs = seeded.organization_id, seeded.other_organization_id
    for organization in (ours, theirs):
        clean.add_log(organization, 400)
        clean.add_job("completed", 400, organization_id=organization)
        clean.add_file("exports", organization, 1)
    clean.add_job("completed", 400)
    clean.add_event("processed", 400)
    deleted = {"activity_logs": 1, "completed_jobs": 1, "exports": 1}
    assert clean(CleanupOldData(dry_run=True), organization_id=ours) == deleted
    assert clean(organization_id=ours) == deleted
    assert clean.ids("app.activity_logs", "organization_id") == {theirs}
    assert clean.ids("job_executions WHERE job_type = 'send-email'", "organization_id") == {theirs, None}
    assert len(clean.files.keys()) == 1
    assert len(clean.ids("app.webhook_events")) == 1
    assert clean(organization_id=10**9) == {}


# --- what is needed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["pending", "processing", "retrying"])
def test_a_live_job_is_never_touched(clean: Cleaner, status: str) -> None:
    job_id = clean.add_job(status, 3_000)
    assert clean(CleanupOldData(retention=Retention(completed_jobs=1, cancelled_jobs=1, failed_jobs=1))) == {}
    assert clean.run.read(job_id).status == status


def test_a_replayed_job_is_live_again(clean: Cleaner) -> None:
    job_id = clean.add_job("failed", 3_000)
    dispatcher.retry(job_id)
    assert clean() == {}
    assert clean.run.read(job_id).status == "pending"


def test_a_failure_that_its_caller_was_not_told_of_is_kept(clean: Cleaner) -> None:
    url = "https://example.com/failed"
    untold = clean.add_job("failed", 400, failure_callback=url)
    clean.add_job("failed", 400, failure_callback=url, failure_called_at=clean.ago(400))
    clean.add_job("completed", 400, failure_callback=url)
    assert clean() == {"failed_jobs": 1, "completed_jobs": 1}
    assert clean.run.read(untold).status == "failed"


@pytest.mark.parametrize("completion", ["pending", "processing", "retrying", "failed", "cancelled"])
def test_members_are_kept_until_their_batchs_completion_has_completed(
    clean: Cleaner, completion: str
) -> None:
    batch = clean.add_batch(400)
    then = clean.ids(f"job_batches WHERE id = '{batch}'", "then_job_id").pop()
    members = {clean.add_job(status, 400, batch_id=batch) for status in ("completed", "failed")}
    days = 10 if completion in {"failed", "cancelled"} else 399
    clean.add_job(completion, days, job_id=then, completes_batch=batch)
    assert clean() == {}
    assert {member.job_id for member in executions.batch_members(clean.connection, batch)} == members
    clean.connection.execute("DELETE FROM job_executions WHERE job_id = %s", [then])
    clean.add_job("completed", 20, job_id=then, completes_batch=batch)
    assert clean() == {"completed_jobs": 1, "failed_jobs": 1, "job_batches": 1}


def test_members_of_a_batch_that_is_not_over_are_kept(clean: Cleaner) -> None:
    batch = clean.add_batch(400, remaining=1)
    clean.add_job("completed", 400, batch_id=batch)
    clean.add_job("pending", 400, batch_id=batch)
    assert clean() == {}


def test_a_batch_goes_when_it_has_no_members_left(clean: Cleaner) -> None:
    batch = clean.add_batch(400)
    clean.add_job("completed", 400, batch_id=batch)
    clean.add_job("failed", 40, batch_id=batch)
    assert clean() == {"completed_jobs": 1}
    clean.connection.execute("UPDATE job_executions SET created_at = %s, completed_at = %s WHERE batch_id = %s", [
        clean.ago(400), clean.ago(400), batch])  # fmt: skip
    assert clean() == {"failed_jobs": 1, "job_batches": 1}
    assert clean.ids("job_batches") == set()


def test_a_young_batch_without_members_is_kept(clean: Cleaner) -> None:
    clean.add_batch(20)
    assert clean() == {}


def test_payloads_of_schedules_go_a_month_after_they_were_replaced(clean: Cleaner) -> None:
    for days in (None, 29, 31):
        removed_at = None if days is None else clean.ago(days)
        clean.add("schedule_payloads", id=uuid4(), schedule_id="s", payload=Jsonb({}), removed_at=removed_at)
    assert clean(CleanupOldData(retention=KEPT)) == {"schedule_payloads": 1}
    assert len(clean.ids("schedule_payloads WHERE removed_at IS NULL")) == 1


def test_what_was_done_over_the_http_api_is_forgotten_with_the_activity(clean: Cleaner) -> None:
    for days in (300, 400):
        clean.add(
            "api_actions", at=clean.ago(days), key_name="ops", via="api", source_ip="::1", action="retry"
        )
    assert clean(CleanupOldData(retention=KEPT)) == {}
    assert clean() == {"api_actions": 1}
    assert clean(CleanupOldData(retention=Retention(activity_logs=200))) == {"api_actions": 1}


def test_webhook_events_that_may_still_be_applied_are_kept(clean: Cleaner) -> None:
    for status in ("received", "queued", "processed", "ignored"):
        clean.add_event(status, 400)
    replayable = clean.add_job("failed", 100)
    clean.add_event("failed", 100, job_id=replayable)
    clean.add_event("failed", 100, job_id=clean.add_job("completed", 10))
    clean.add_event("failed", 100)
    assert clean() == {"webhook_events": 4}
    assert clean.ids("app.webhook_events", "status") == {"received", "queued", "failed"}
    assert clean.ids("app.webhook_events WHERE status = 'failed'", "job_id") == {replayable}


def test_on_seeded_data(run: Runner, files: Files, connection: Connection, seeded: Seeded) -> None:
    """It takes the export that has expired, and leaves what is in use."""
    clean = Cleaner(run, files, connection)
    in_use = ("app.users", "app.invoices", "app.listings", "app.applications", "app.notifications")
    before = [clean.ids(rows) for rows in in_use]
    connection.execute("UPDATE app.exports SET bucket = %s", [files.bucket])
    expired = clean.ids("app.exports WHERE deleted_at IS NULL AND expires_at < now()")
    assert clean()["exports"] == len(expired) > 0
    assert seeded.expired_export_id in expired
    assert clean.ids("app.exports WHERE deleted_at IS NULL AND expires_at < now()") == set()
    assert [clean.ids(rows) for rows in in_use] == before


# --- files ----------------------------------------------------------------------------------------------------


def test_expired_files_are_deleted_and_their_rows_say_so(clean: Cleaner, seeded: Seeded) -> None:
    expired = [clean.add_file(table, seeded.organization_id, 0.1) for table in ("exports", "reports")]
    kept = [clean.add_file(table, seeded.organization_id, -0.1) for table in ("exports", "reports")]
    elsewhere = clean.add_file("exports", seeded.organization_id, 0.1, bucket="another-bucket")
    assert clean() == {"exports": 1, "reports": 1}
    assert sorted(clean.files.keys()) == sorted([*kept, elsewhere])
    for table in ("exports", "reports"):
        assert clean.ids(f"app.{table} WHERE deleted_at IS NOT NULL", "key") == {
            key for key in expired if table in key
        }
    assert clean() == {}


def test_a_file_that_is_gone_already_counts_as_deleted(clean: Cleaner, seeded: Seeded) -> None:
    key = clean.add_file("exports", seeded.organization_id, 1)
    clean.files.client.delete_object(Bucket=clean.files.bucket, Key=key)
    assert clean() == {"exports": 1}
    assert clean.ids("app.exports WHERE deleted_at IS NULL") == set()


def test_more_files_than_a_batch(clean: Cleaner, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expired_files, "BATCH", 2)
    for _each in range(5):
        clean.add_file("exports", seeded.organization_id, 1)
    assert clean() == {"exports": 5}
    assert clean.files.keys() == []


# --- growth ---------------------------------------------------------------------------------------------------


def test_indexes_lead_to_what_is_old(clean: Cleaner) -> None:
    """Where a few of many rows are old, no statement reads them all."""
    clean.connection.execute(
        """INSERT INTO job_executions (job_id, job_type, status, payload, max_attempts, completed_at, created_at)
        SELECT gen_random_uuid(), 'send-email', 'completed', '{}', 1, at, at
        FROM generate_series(1, 20000) AS number, LATERAL (SELECT now() - number * interval '130 seconds' AS at) AS made"""
    )
    for name, columns, values, at in (
        ("webhook_events", "source, event_id, event_type, payload, status, processed_at, received_at",
         "'github', number, 'push', '{}', 'processed', now()", "390 seconds"),
        ("email_deliveries", "recipient, queued_at", "'ada@example.com'", "1600 seconds"),
        ("activity_logs", "organization_id, action, occurred_at", "1, 'a.b'", "1600 seconds"),
    ):  # fmt: skip
        insert = f"INSERT INTO app.{name} ({columns}) SELECT {values}, now() - number * interval '{at}'"
        clean.connection.execute(f"{insert} FROM generate_series(1, 20000) AS number".encode())
    clean.connection.execute(
        """INSERT INTO api_actions (at, key_name, via, source_ip, action)
        SELECT now() - number * interval '1600 seconds', 'ops', 'api', '::1', 'retry' FROM generate_series(1, 20000) AS number"""
    )
    clean.connection.execute("ANALYZE")
    for table in tables.TABLES:
        rows = OldRows(table, table.days(Retention()) or 0, organization_id=None, archive=None)
        explained = b"EXPLAIN " + rows._fill_in(deleting._DELETE, deleting.BATCH).as_bytes(clean.connection)
        plan = [row["QUERY PLAN"] for row in clean.connection.execute(explained, rows._values).fetchall()]
        if table.name not in {
            "job_batches",
            "schedule_payloads",
        }:  # a row for each batch, each change of a schedule
            assert not any("Seq Scan" in line and " old" in line for line in plan), (table.name, plan)
