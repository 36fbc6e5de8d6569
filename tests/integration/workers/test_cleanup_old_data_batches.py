"""cleanup-old-data: batches, the archive, chains of jobs, and what happens when one is interrupted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from functions.cleanup_old_data import archive, deleting
from infra.seed import Seeded
from shared import database, dispatcher, fault_points
from shared.database import Connection
from shared.envelope import Envelope
from shared.fault_points import Crash, FaultPoint
from shared.job import Job
from shared.jobs.cleanup_old_data import CleanupOldData, Retention
from shared.registry import JobType
from shared.storage import Upload
from tests.integration import delivering
from tests.integration.workers.cleaning import Cleaner, told
from tests.integration.workers.conftest import Files, Runner

ROWS = 10
# Dies without a word when its second file of the archive is in S3, and the rows are not deleted yet.
KILLED = """
import json, os, signal, sys
from functions.cleanup_old_data import deleting
from functions.cleanup_old_data.handler import handler
from shared.storage import Upload
from tests.integration.delivering import Context

finish, files = Upload.finish, iter(range(10))
Upload.finish = lambda file: (finish(file), next(files) == 1 and os.kill(os.getpid(), signal.SIGKILL))
deleting.BATCH = 3
handler(json.load(sys.stdin), Context())
"""


@pytest.fixture
def clean(run: Runner, files: Files, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Cleaner:
    """Runs it, three rows a batch, on a database in which nothing is old."""
    monkeypatch.setattr(deleting, "BATCH", 3)
    cleaner = Cleaner(run, files, connection)
    cleaner.empty()
    return cleaner


@pytest.fixture
def logs(clean: Cleaner, seeded: Seeded) -> set[int]:
    """Old lines of an activity log; their ids."""
    for number in range(ROWS):
        clean.add_log(seeded.organization_id, 400 + number, external_id=str(number))
    clean.add_log(seeded.organization_id, 10)
    return clean.ids("app.activity_logs WHERE external_id IS NOT NULL")


def at_progress(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[Any], object]) -> None:
    """Do something with the job when it has deleted so many batches."""
    progress, batches = Job.progress, iter(range(1, 10**6))

    def told_progress(job: Any, *args: Any, **options: Any) -> None:
        progress(job, *args, **options)
        if next(batches) == number:
            act(job)

    monkeypatch.setattr(Job, "progress", told_progress)


def after_the_crash(connection: Connection) -> None:
    database.discard()  # the process is gone, and its connections
    connection.execute(
        "UPDATE job_executions SET lease_expires_at = clock_timestamp() WHERE status = 'processing'"
    )


def old(clean: Cleaner) -> set[int]:
    return clean.ids("app.activity_logs WHERE external_id IS NOT NULL")


# --- batches --------------------------------------------------------------------------------------------------


def test_all_batches(clean: Cleaner, logs: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    for number in range(1, 20):
        at_progress(monkeypatch, number, lambda _job: left.append(len(old(clean))))
    job = clean.job(CleanupOldData())
    assert told(job) == {"activity_logs": ROWS}
    assert sorted(set(left), reverse=True) == [10, 7, 4, 1, 0]  # each was committed
    assert job.progress["done"] == ROWS
    assert len(clean.ids("app.activity_logs")) == 1


def test_the_oldest_go_first(clean: Cleaner, logs: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_job: Any) -> None:
        raise ValueError("no luck")

    batches = 7  # one for each table before
    with monkeypatch.context() as patched:
        at_progress(patched, batches + 1, stop)
        job = clean.job(CleanupOldData())
    assert job.status == "retrying"
    assert old(clean) == set(sorted(logs)[: ROWS - 3])  # the later ids are the older rows


def test_a_row_that_somebody_holds_is_left_and_stops_nothing(
    clean: Cleaner, logs: set[int], database_url: str
) -> None:
    held = min(logs)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM app.activity_logs WHERE id = %s FOR SHARE", [held])
        for archive in (False, True):
            deleted = clean(CleanupOldData(archive=archive))
            assert deleted == ({} if archive else {"activity_logs": ROWS - 1})
            assert old(clean) == {held}
    assert clean(CleanupOldData(archive=True)) == {"activity_logs": 1}
    assert [row["id"] for row in clean.archived("activity_logs")] == [held]


# --- the archive ----------------------------------------------------------------------------------------------


def test_the_archive_has_exactly_what_was_deleted(clean: Cleaner, logs: set[int]) -> None:
    job_id = clean.add_job("completed", 400, result=None)
    rows = clean.connection.execute(
        "SELECT row_to_json(old) AS row FROM app.activity_logs AS old WHERE external_id IS NOT NULL ORDER BY id"
    ).fetchall()
    job = clean.job(CleanupOldData(archive=True))
    assert told(job) == {"activity_logs": ROWS, "completed_jobs": 1}
    assert sorted(clean.archived("activity_logs"), key=lambda row: row["id"]) == [row["row"] for row in rows]
    (archived,) = clean.archived("completed_jobs")
    assert (archived["job_id"], archived["payload"]) == (str(job_id), {"text": "hello"})
    day = f"{job.created_at:%Y-%m-%d}"
    assert clean.files.keys() == [
        *(f"archive/activity_logs/{day}/{job.job_id}-1-{number:05}.jsonl.gz" for number in range(1, 5)),
        f"archive/completed_jobs/{day}/{job.job_id}-1-00001.jsonl.gz",
    ]


def test_nothing_old_makes_no_file(clean: Cleaner) -> None:
    assert clean(CleanupOldData(archive=True)) == {}
    assert clean.files.keys() == []


def test_what_cannot_be_archived_is_not_deleted(clean: Cleaner, logs: set[int]) -> None:
    bucket = clean.files.bucket
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    clean.files.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [denied]}))
    job = clean.job(CleanupOldData(archive=True))
    assert job.status == "retrying"
    assert bucket in (job.error or "")
    assert old(clean) == logs
    clean.files.client.delete_bucket_policy(Bucket=bucket)
    assert clean.deliver(job.job_id) == 200
    assert Counter(row["id"] for row in clean.archived("activity_logs")) == Counter(logs)
    assert old(clean) == set()


def test_timed_out_while_the_file_goes_up(
    clean: Cleaner, logs: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = dispatcher.enqueue(CleanupOldData(archive=True))
    with monkeypatch.context() as patched:
        patched.setattr(Upload, "finish", lambda _file: threading.Event().wait(60))  # until the alarm
        assert clean.deliver(job_id, seconds=5.0) == 500
    assert (old(clean), clean.files.keys()) == (logs, [])
    assert clean.deliver(job_id) == 200
    assert Counter(row["id"] for row in clean.archived("activity_logs")) == Counter(logs)


def test_others_write_while_a_file_goes_up(
    clean: Cleaner, logs: set[int], seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, written = Upload.finish, []

    def finish_later(file: Upload) -> None:
        with clean.connection.transaction():
            clean.connection.execute("SET LOCAL lock_timeout = '200ms'")
            clean.add_log(seeded.organization_id, 0)
            young = "UPDATE app.activity_logs SET source = 'b' WHERE external_id IS NULL"
            written.append(clean.connection.execute(young).rowcount)
        finish(file)

    monkeypatch.setattr(Upload, "finish", finish_later)
    assert clean(CleanupOldData(archive=True)) == {"activity_logs": ROWS}
    assert written == [2, 3, 4, 5]


def test_rows_that_are_too_much_for_one_batch_go_in_smaller_ones(
    clean: Cleaner, logs: set[int], connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where payloads are large: a batch must not fail for its size, each day again, and nothing ever go."""
    monkeypatch.setattr(deleting, "BATCH", 100)
    monkeypatch.setattr(archive, "_LIMITS", b"SET LOCAL statement_timeout = '1s'")
    connection.execute(
        b"CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS "
        b"$$ BEGIN PERFORM pg_sleep(0.15); RETURN OLD; END $$"
    )
    connection.execute(
        b"CREATE TRIGGER takes_long BEFORE DELETE ON app.activity_logs FOR EACH ROW EXECUTE FUNCTION take_long()"
    )
    job = clean.job(CleanupOldData(archive=True))
    assert (job.status, told(job)) == ("completed", {"activity_logs": ROWS})
    assert len(clean.archived("activity_logs")) == ROWS
    assert old(clean) == set()


def test_killed_between_the_file_and_the_commit(clean: Cleaner, logs: set[int]) -> None:
    job_id = dispatcher.enqueue(CleanupOldData(archive=True))
    row = clean.run.read(job_id)
    envelope = Envelope(job_id=job_id, publication=row.publication, type=row.job_type, payload=row.payload)
    request = json.dumps(delivering.event(envelope.to_wire()))
    killed = subprocess.run([sys.executable, "-c", KILLED], input=request, text=True, check=False)
    assert killed.returncode == -9
    after_the_crash(clean.connection)
    (first, _second) = files_before = clean.files.keys()
    assert len(old(clean)) == ROWS - 3  # the first batch is deleted, the second only archived
    assert clean.deliver(job_id) == 200
    assert told(clean.run.read(job_id)) == {"activity_logs": ROWS - 3}
    assert old(clean) == set()
    archived = Counter(row["id"] for row in clean.archived("activity_logs"))
    assert set(archived) == logs
    assert sorted(archived.values()) == [1] * 7 + [2] * 3  # no file took another's place
    assert set(files_before) < set(clean.files.keys())
    assert first.endswith("-1-00001.jsonl.gz")


# --- carrying on ----------------------------------------------------------------------------------------------


def test_short_of_time_a_next_job_carries_on(clean: Cleaner, logs: set[int], seeded: Seeded) -> None:
    clean.add_file("exports", seeded.organization_id, 1)
    retention = Retention(activity_logs=365)
    payload = CleanupOldData(retention=retention, archive=True)
    job_id = dispatcher.enqueue(payload, organization_id=seeded.organization_id, user_id=seeded.owner_id)
    totals, job = [], clean.run.read(job_id)
    for _each in range(2 * ROWS):
        assert clean.deliver(job_id, seconds=25) == 200
        job = clean.run.read(job_id)
        totals.append(sum(told(job).values()))
        if job.result["finished"]:
            break
        following = clean.run.accepted(JobType.CLEANUP_OLD_DATA)[-1]
        assert following.job_id != job_id
        assert (following.user_id, following.organization_id) == (seeded.owner_id, seeded.organization_id)
        assert following.payload == job.payload | {"carried": job.result["deleted"]}
        job_id = following.job_id
    assert told(job) == {"activity_logs": ROWS, "exports": 1}
    assert totals == [3, 6, 9, 10, 11, 11]  # a batch each; the last has found nothing
    assert len(clean.run.accepted(JobType.CLEANUP_OLD_DATA)) == len(totals)


def test_cancelled_in_the_middle_it_stops(
    clean: Cleaner, logs: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_progress(monkeypatch, 8, lambda job: dispatcher.cancel(job.id, "not now"))
    job = clean.job(CleanupOldData())
    assert (job.status, job.error) == ("cancelled", "not now")
    assert len(old(clean)) == ROWS - 3


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETED])
def test_a_crash_leaves_what_was_deleted_deleted(
    clean: Cleaner, logs: set[int], seeded: Seeded, point: FaultPoint
) -> None:
    clean.add_file("exports", seeded.organization_id, 1)
    job_id = dispatcher.enqueue(CleanupOldData(archive=True))
    with fault_points.armed(point), pytest.raises(Crash):
        clean.deliver(job_id)
    after_the_crash(clean.connection)
    assert clean.deliver(job_id) == 200
    assert clean.run.read(job_id).status == "completed"
    assert old(clean) == set()
    assert Counter(row["id"] for row in clean.archived("activity_logs")) == Counter(logs)
    assert clean.ids("app.exports WHERE deleted_at IS NULL") == set()


def test_a_second_run_finds_nothing_left(clean: Cleaner, logs: set[int], seeded: Seeded) -> None:
    clean.add_file("exports", seeded.organization_id, 1)
    first = clean.job(CleanupOldData(archive=True))
    files = clean.files.keys()
    assert clean.deliver(first.job_id) == 200  # a redelivery
    second = clean.job(CleanupOldData(archive=True))
    assert (told(second), clean.files.keys()) == ({}, files)
    assert len(clean.ids("app.activity_logs")) == 1
