"""What tests of cleanup-old-data share: rows of any age, and running it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.envelope import new_job_id
from shared.jobs.cleanup_old_data import CleanupOldData
from shared.rows import Execution
from tests.integration.workers.conftest import Files, Runner

TABLES = (
    "completed_jobs", "cancelled_jobs", "failed_jobs", "job_batches", "schedule_payloads", "webhook_events",
    "email_deliveries", "activity_logs", "api_actions", "exports", "reports",
)  # fmt: skip
_ENDED = {"completed", "failed", "cancelled"}


@dataclass(frozen=True)
class Cleaner:
    """Runs the job, and writes what it is to delete."""

    run: Runner
    files: Files
    connection: Connection

    def __call__(self, payload: CleanupOldData | None = None, **options: Any) -> dict[str, int]:
        """What a run that completed has deleted, or would delete: the tables of which it was any."""
        job = self.job(payload or CleanupOldData(), **options)
        assert job.status == "completed", job.error
        return told(job)

    def job(self, payload: CleanupOldData, **options: Any) -> Execution:
        """Run it; what became of the job."""
        return self.run(_handler(), payload, **options)

    def deliver(self, job_id: UUID, seconds: float = 60.0) -> int:
        """Deliver a job again; the status code answered."""
        return self.run.deliver(_handler(), job_id, seconds)

    def archived(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table that are in the archive, in the order of its keys."""
        keys = [key for key in sorted(self.files.keys()) if key.startswith(f"archive/{table}/")]
        return [
            json.loads(line)
            for key in keys
            for line in gzip.decompress(self.files.read(key)).decode().splitlines()
        ]

    # --- rows -------------------------------------------------------------------------------------------------

    def add_job(self, status: str, days: float, **columns: Any) -> UUID:
        """A job that was created, and where it has ended did so, so many days ago."""
        job_id: UUID = columns.get("job_id") or new_job_id()
        ago = self.ago(days)
        values = {
            "job_id": job_id,
            "job_type": "send-email",
            "status": status,
            "payload": Jsonb({"text": "hello"}),
            "max_attempts": 3,
            "attempt": 0 if status == "pending" else 1,
            "started_at": None if status == "pending" else ago,
            "lease_expires_at": ago if status == "processing" else None,
            "completed_at": ago if status in _ENDED else None,
            "created_at": ago,
            "error": "no luck" if status == "failed" else None,
        }
        self.add("job_executions", **values | columns)
        return job_id

    def add_batch(self, days: float, *, remaining: int = 0, **columns: Any) -> UUID:
        """A batch of two whose last member ended so many days ago, unless some remain."""
        ago, batch_id = self.ago(days), new_job_id()
        values = {
            "id": batch_id,
            "total": 2,
            "then_job_id": new_job_id(),
            "then_job": Jsonb({}),
            "created_at": ago,
        }
        fired_at = None if remaining else ago
        self.add("job_batches", **values | {"remaining": remaining, "fired_at": fired_at} | columns)
        return batch_id

    def add_log(self, organization_id: int, days: float, **columns: Any) -> None:
        """A line of an organization's activity log, so many days old."""
        values = {
            "organization_id": organization_id,
            "action": "a.b",
            "source": "test",
            "occurred_at": self.ago(days),
        }
        self.add("app.activity_logs", **values | columns)

    def add_event(self, status: str, days: float, **columns: Any) -> None:
        """A webhook event received so many days ago."""
        ago = self.ago(days)
        values = {
            "source": "github",
            "event_id": str(new_job_id()),
            "event_type": "push",
            "status": status,
            "payload": Jsonb({}),
            "received_at": ago,
            "processed_at": None if status in {"received", "queued"} else ago,
            "error": "no luck" if status == "failed" else None,
        }
        self.add("app.webhook_events", **values | columns)

    def add_file(self, table: str, organization_id: int, days: float, **columns: Any) -> str:
        """An export or report that has expired so many days ago, and its file; the key."""
        job_id, expires_at = new_job_id(), self.ago(days)
        key = f"{table}/{organization_id}/{job_id}.csv"
        self.files.client.put_object(Bucket=self.files.bucket, Key=key, Body=b"content")
        values = {
            "organization_id": organization_id,
            "format": "csv",
            "bucket": self.files.bucket,
            "key": key,
            "bytes": 7,
            "checksum": "0" * 64,
            "job_id": job_id,
            "created_at": self.ago(days + 1),
            "expires_at": expires_at,
        }
        kind = {"entity": "users", "rows": 1} if table == "exports" else {"report_type": "revenue"}
        self.add(f"app.{table}", **values | kind | columns)
        return key

    def add(self, table: str, **values: Any) -> None:
        """A row."""
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        places = sql.SQL(", ").join(map(sql.Placeholder, values))
        name = sql.Identifier(*table.split("."))
        self.connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(name, names, places), values
        )

    def ids(self, rows: str, column: str = "id") -> set[Any]:
        """One column of some rows: `app.activity_logs WHERE …`."""
        found = self.connection.execute(f"SELECT {column} AS value FROM {rows}".encode()).fetchall()
        return {row["value"] for row in found}

    def empty(self) -> None:
        """Take away what was seeded and may be old."""
        for table in ("activity_logs", "webhook_events", "email_deliveries", "exports", "reports"):
            self.connection.execute(f"DELETE FROM app.{table}".encode())

    def ago(self, days: float) -> Any:
        """A time so many days ago."""
        row = self.connection.execute(
            "SELECT now() - make_interval(secs => %s) AS at", [days * 86_400]
        ).fetchone()
        assert row is not None
        return row["at"]


def told(job: Execution) -> dict[str, int]:
    """The counts of a result that are not 0."""
    assert job.result is not None
    return {table: count for table, count in job.result["deleted"].items() if count}


def _handler() -> Any:
    from functions.cleanup_old_data.handler import handler  # it reads its settings when it is imported

    return handler
