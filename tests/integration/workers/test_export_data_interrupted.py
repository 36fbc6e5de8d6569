"""export-data: killed, cancelled, refused or cut off in the middle, and run again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from functions.export_data import query, streaming
from infra.seed import Seeded
from shared import database, dispatcher, fault_points
from shared.database import Connection
from shared.envelope import Envelope
from shared.fault_points import Crash, FaultPoint
from shared.jobs.export_data import ExportData
from shared.registry import JobType
from shared.storage import Upload
from tests.integration import delivering
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.exporting import Exporter, completed, handler, objects

ROWS = 60
# Dies without a word once the first part of the file is in S3.
KILLED = """
import json, os, signal, sys
from shared.storage import Upload
from functions.export_data.handler import handler
from tests.integration.delivering import Context

send = Upload._send
Upload._send = lambda file: (send(file), os.kill(os.getpid(), signal.SIGKILL))
handler(json.load(sys.stdin), Context())
"""


@pytest.fixture
def export(run: Runner, files: Files, seeded: Seeded) -> Exporter:
    """Exports the first organization's rows."""
    return Exporter(run, files, seeded.organization_id)


@pytest.fixture
def large(seeded: Seeded, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> ExportData:
    """An export of several parts and many pages."""
    for module in (query, streaming):
        monkeypatch.setattr(module, "PAGE", 7)
    connection.execute(
        """INSERT INTO app.activity_logs (organization_id, action, source, data)
        SELECT %s, 'a.b', 'test', jsonb_build_object('number', number, 'text', repeat('x', 200000))
        FROM generate_series(1, %s) AS number""",
        [seeded.organization_id, ROWS],
    )
    return ExportData(entity_type="activity_logs", format="jsonl", filters={"source": "test"})


def at_line(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Do something when this line is written."""
    write, lines = Upload.write, iter(range(1, 10**6))

    def written(file: Upload, data: bytes) -> None:
        write(file, data)
        if next(lines) == number:
            act()

    monkeypatch.setattr(Upload, "write", written)


def exports_of(connection: Connection, job_id: UUID) -> list[dict[str, Any]]:
    return connection.execute("SELECT * FROM app.exports WHERE job_id = %s", [job_id]).fetchall()


def expire_lease(connection: Connection) -> None:
    database.discard()  # the process is gone, and its connections
    connection.execute(
        "UPDATE job_executions SET lease_expires_at = clock_timestamp() WHERE status = 'processing'"
    )


def members(connection: Connection, seeded: Seeded) -> int:
    found = connection.execute(
        "SELECT count(*) FROM app.memberships WHERE organization_id = %s", [seeded.organization_id]
    ).fetchone()
    assert found is not None
    return int(found["count"])


def has_ended_once(export: Exporter, connection: Connection, job_id: UUID, rows: int) -> None:
    """One file, whole; one record of it; one mail."""
    job = export.run.read(job_id)
    result = completed(job)
    assert result["rows"] == rows
    assert export.files.keys() == [result["key"]]
    assert export.files.unfinished() == []
    (record,) = exports_of(connection, job_id)
    assert (record["checksum"], record["deleted_at"]) == (result["checksum"], None)
    assert len(export.run.accepted(JobType.SEND_EMAIL)) == (0 if job.user_id is None else 1)


# --- crashes --------------------------------------------------------------------------------------------------


def test_killed_in_the_middle_of_the_upload(
    export: Exporter, connection: Connection, large: ExportData
) -> None:
    job_id = dispatcher.enqueue(large, organization_id=export.organization_id)
    row = export.run.read(job_id)
    envelope = Envelope(job_id=job_id, publication=row.publication, type=row.job_type, payload=row.payload)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=json.dumps(delivering.event(envelope.to_wire())),
        text=True,
        check=False,
    )
    assert killed.returncode == -9
    assert export.run.read(job_id).status == "processing"
    assert (len(export.files.unfinished()), export.files.keys()) == (1, [])
    expire_lease(connection)
    assert export.deliver(job_id) == 200
    has_ended_once(export, connection, job_id, ROWS)


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_before_the_commit(
    export: Exporter, seeded: Seeded, connection: Connection, point: FaultPoint
) -> None:
    job_id = dispatcher.enqueue(
        ExportData(entity_type="memberships"),
        organization_id=seeded.organization_id,
        user_id=seeded.owner_id,
    )
    with fault_points.armed(point), pytest.raises(Crash):
        export.deliver(job_id)
    assert export.run.read(job_id).status == "processing"
    expire_lease(connection)
    assert exports_of(connection, job_id) == []
    assert export.deliver(job_id) == 200
    has_ended_once(export, connection, job_id, members(connection, seeded))


def test_a_crash_after_the_commit(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    job_id = dispatcher.enqueue(
        ExportData(entity_type="memberships"),
        organization_id=seeded.organization_id,
        user_id=seeded.owner_id,
    )
    with fault_points.armed(FaultPoint.COMPLETED), pytest.raises(Crash):
        export.deliver(job_id)
    expire_lease(connection)
    assert export.deliver(job_id) == 200  # a duplicate: nothing is done
    has_ended_once(export, connection, job_id, members(connection, seeded))


# --- again ----------------------------------------------------------------------------------------------------


def test_the_same_payload_in_a_new_job_is_another_file(export: Exporter, connection: Connection) -> None:
    payload = ExportData(entity_type="memberships")
    first, second = export.job(payload), export.job(payload)
    assert sorted(export.files.keys()) == sorted([completed(first)["key"], completed(second)["key"]])
    assert completed(first)["checksum"] == completed(second)["checksum"]


def test_a_replay_writes_the_same_file_anew(
    export: Exporter,
    seeded: Seeded,
    connection: Connection,
    large: ExportData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise ValueError("no luck")

    with monkeypatch.context() as patched:
        at_line(patched, 50, refuse)
        job = export.job(large, retries=0)
    assert (job.status, export.files.keys(), export.files.unfinished()) == ("failed", [], [])
    dispatcher.retry(job.job_id)
    assert export.deliver(job.job_id) == 200
    assert export.run.read(job.job_id).run == 2
    has_ended_once(export, connection, job.job_id, ROWS)


# --- cancelled, refused, cut off ------------------------------------------------------------------------------


def test_cancelled_in_the_middle_leaves_nothing(
    export: Exporter, connection: Connection, large: ExportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = dispatcher.enqueue(large, organization_id=export.organization_id)
    begun: list[str] = []

    def cancel() -> None:
        begun.extend(export.files.unfinished())
        with ThreadPoolExecutor() as elsewhere:  # this thread's connections are the worker's
            elsewhere.submit(dispatcher.cancel, job_id, "not needed any more").result()

    at_line(monkeypatch, 40, cancel)
    assert export.deliver(job_id) == 200
    job = export.run.read(job_id)
    assert (job.status, job.error) == ("cancelled", "not needed any more")
    assert len(begun) == 1
    assert job.progress["done"] < ROWS
    assert (export.files.keys(), export.files.unfinished()) == ([], [])
    assert exports_of(connection, job_id) == []


def test_timed_out_in_the_middle_leaves_nothing(
    export: Exporter, connection: Connection, large: ExportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = dispatcher.enqueue(large, organization_id=export.organization_id)
    with monkeypatch.context() as patched:
        at_line(patched, 40, lambda: threading.Event().wait(60))  # until the alarm
        assert export.run.deliver(handler(), job_id, seconds=5.0) == 500
    assert export.run.read(job_id).errors[-1]["type"] == "JobTimeout"
    assert (export.files.keys(), export.files.unfinished()) == ([], [])
    assert export.deliver(job_id) == 200
    has_ended_once(export, connection, job_id, ROWS)


def test_postgres_going_away_in_the_middle_leaves_nothing_and_costs_an_attempt(
    export: Exporter, connection: Connection, large: ExportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_backends() -> None:
        connection.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )

    with monkeypatch.context() as patched:
        patched.setattr(query, "PAGE", 10_000)  # all in one statement, of which most is still at the server
        at_line(patched, 2, end_backends)
        job = export.job(large)
    assert (job.status, job.errors[-1]["type"]) == ("retrying", "DatabaseUnavailable")
    assert (export.files.keys(), export.files.unfinished()) == ([], [])
    assert export.deliver(job.job_id) == 200
    has_ended_once(export, connection, job.job_id, ROWS)


def test_s3_refusing_leaves_nothing_and_is_said(
    export: Exporter, connection: Connection, large: ExportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = export.files.bucket
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }

    def deny() -> None:
        export.files.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [denied]}))

    with monkeypatch.context() as patched:
        at_line(patched, 40, deny)
        job = export.job(large)
    assert job.status == "retrying"
    assert bucket in (job.error or "")
    assert (export.files.keys(), export.files.unfinished()) == ([], [])
    export.files.client.delete_bucket_policy(Bucket=bucket)
    assert export.deliver(job.job_id) == 200
    has_ended_once(export, connection, job.job_id, ROWS)


def test_a_bucket_that_is_not_there(
    export: Exporter, environment: pytest.MonkeyPatch, connection: Connection
) -> None:
    environment.setenv("FILES_BUCKET", "no-such-bucket")
    job = export.job(ExportData(entity_type="memberships"), retries=0)
    assert job.status == "failed"
    assert "no-such-bucket" in (job.error or "")
    assert exports_of(connection, job.job_id) == []


def test_no_lock_is_held_while_the_file_goes_up(
    export: Exporter, connection: Connection, large: ExportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between pages there is no transaction; within one, nothing that keeps a writer waiting."""
    held: list[str] = []

    def write_all() -> None:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '100ms'")
            updated = connection.execute("UPDATE app.activity_logs SET source = source WHERE source = 'test'")
            held.append(f"{updated.rowcount} rows updated")

    at_line(monkeypatch, 40, write_all)
    job = export.job(large)
    assert held == [f"{ROWS} rows updated"]
    lines = objects(export.files.read(completed(job)["key"]))
    assert sorted(line["data"]["number"] for line in lines) == list(range(1, ROWS + 1))
