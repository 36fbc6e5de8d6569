"""Deploys and rollbacks: earlier code, as it was, works on today's schema, and jobs pass between it and today's code.

For a new migration: first `python -m tests.integration.upgrades.snapshot`, which keeps the code before it; then these
tests run that code against the schema that the migration makes.
"""

from __future__ import annotations

import importlib
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from infra.local.qstash import QStashServer
from infra.migrations import migrate
from shared import database, executions
from shared.database import Connection
from shared.dispatcher import enqueue, enqueue_batch
from shared.envelope import Envelope
from shared.rows import Execution
from shared.worker import Job, job_worker
from tests.integration.conftest import Read
from tests.integration.delivering import Context, event
from tests.integration.jobs import Note
from tests.integration.test_healing import callback
from tests.integration.upgrades import snapshot as snapshots
from tests.integration.upgrades.releases_under_test import (
    NEWEST,
    SNAPSHOTS,
    OldCode,
    migrations_up_to,
    running,
    version_of,
)

pytestmark = pytest.mark.direct("migrations take a direct connection")
ENDS = {
    "completes": (200, "completed"),
    "raises": (500, "retrying"),
    "retries": (503, "retrying"),
    "fails": (489, "failed"),
    "cancels": (200, "cancelled"),
}
Deliver = Callable[[UUID], Any]


@pytest.fixture(params=SNAPSHOTS, ids=lambda path: f"code-of-{path.name.partition('.')[0]}")
def release(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def old(
    release: Path, environment: pytest.MonkeyPatch, qstash: QStashServer, effects: None, tmp_path: Path
) -> Iterator[OldCode]:
    """Earlier code, on the test's database."""
    folder = tmp_path / "old"
    folder.mkdir()
    with running(release, folder) as process:
        yield process


@pytest.fixture
def effects(connection: Connection) -> None:
    """Where attempts leave their mark, within the job's transaction."""
    connection.execute("CREATE TABLE effects (job_id uuid, attempt int)")


def signed(job: Execution) -> dict[str, Any]:
    """A delivery of a job's current publication."""
    text = job.payload.get("text", "")
    envelope = Envelope(
        job_id=job.job_id, publication=job.publication, type=job.job_type, payload={"text": text}
    )
    return event(envelope.to_wire())


def new_worker(job: Job[Note]) -> dict[str, str]:
    with job.transaction() as connection:
        connection.execute("INSERT INTO effects VALUES (%s, %s)", [job.id, job.attempt])
    return {"by": "new code"}


def deliver_new(job: Execution) -> int:
    status: int = job_worker(Note)(new_worker)(signed(job), Context())["statusCode"]
    return status


def marks(connection: Connection, job_id: UUID) -> list[int]:
    rows = connection.execute("SELECT attempt FROM effects WHERE job_id = %s", [job_id]).fetchall()
    return [row["attempt"] for row in rows]


def reconcile() -> dict[str, Any]:
    done: dict[str, Any] = importlib.import_module("functions.reconcile.handler").handler({}, Context())
    return done


def expire(connection: Connection) -> None:
    """Let the time pass that leases and waits still have."""
    connection.execute("UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'")
    connection.execute("UPDATE job_executions SET publish_after = now() WHERE published_at IS NULL")


# --- the snapshots ------------------------------------------------------------------------------------------


def test_there_is_code_of_before_the_newest_migration() -> None:
    versions = [version_of(each) for each in SNAPSHOTS]
    before = [each for each in versions if each < NEWEST]
    assert before, "keep the code of before the migration: python -m tests.integration.upgrades.snapshot"
    assert NEWEST - max(before) <= 3, (
        f"the newest code kept knows migration {max(before)}, and the newest migration is {NEWEST}: take the "
        "migrations out, run python -m tests.integration.upgrades.snapshot, put them back"
    )


def test_a_snapshot_of_the_same_code_is_the_same_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert snapshots.write(one).read_bytes() == snapshots.write(other).read_bytes()
    assert [each.name for each in one.iterdir()] == [f"{NEWEST:04}.tar.xz"]


# --- old code on the new schema -----------------------------------------------------------------------------


def test_old_code_accepts_claims_and_ends_jobs_on_the_new_schema(
    old: OldCode, connection: Connection, read: Read
) -> None:
    for ending, (answer, status) in ENDS.items():
        job_id = UUID(old.do(enqueue=ending))
        assert old.do(deliver=signed(read(job_id))) == answer, ending
        assert read(job_id).status == status
        assert marks(connection, job_id) == ([1] if ending == "completes" else [])
    raised = next(job for job in executions.latest(connection) if job.payload == {"text": "raises"})
    assert old.do(deliver=signed(raised)) == 200
    assert (read(raised.job_id).status, marks(connection, raised.job_id)) == ("completed", [2])
    assert old.do(deliver=signed(read(raised.job_id))) == 200  # a redelivery does nothing
    assert marks(connection, raised.job_id) == [2]


def test_jobs_pass_from_one_code_to_the_other(old: OldCode, connection: Connection, read: Read) -> None:
    """A deploy and its rollback: what one has accepted, or tried once, the other completes."""
    of_old, of_new = UUID(old.do(enqueue="completes")), enqueue(Note(text="completes"))
    tried_by_old = UUID(old.do(enqueue="raises"))
    old.do(deliver=signed(read(tried_by_old)))
    assert deliver_new(read(of_old)) == 200
    assert deliver_new(read(tried_by_old)) == 200
    assert old.do(deliver=signed(read(of_new))) == 200
    found = {job_id: read(job_id) for job_id in (of_old, of_new, tried_by_old)}
    assert [job.status for job in found.values()] == ["completed"] * 3
    assert [job.attempt for job in found.values()] == [1, 1, 2]
    assert found[of_old].result == found[tried_by_old].result == {"by": "new code"}
    assert found[of_new].result == {"by": "old code"}
    assert [marks(connection, job_id) for job_id in found] == [[1], [1], [2]]


def test_batches_pass_from_one_code_to_the_other(old: OldCode, connection: Connection, read: Read) -> None:
    members, then = old.do(batch=["completes", "fails"])
    assert deliver_new(read(UUID(members[0]))) == 200
    assert old.do(deliver=signed(read(UUID(members[1])))) == 489
    assert read(UUID(then)).status == "pending"  # it is there: all members have ended
    batch = enqueue_batch([Note(text="completes")], Note(text="completes"))
    assert old.do(deliver=signed(read(batch.job_ids[0]))) == 200
    assert read(batch.then_job_id).status == "pending"


@pytest.mark.parametrize("healer", ["old", "new"])
def test_what_one_code_crashed_on_the_other_heals(
    old: OldCode, connection: Connection, read: Read, healer: str
) -> None:
    job_id = enqueue(Note(text="completes"))
    claimed = executions.claim(connection, job_id, 1, lease=60, message_id="msg_1")
    assert claimed is not None
    expire(connection)
    done = old.do(reconcile=True) if healer == "old" else reconcile()
    database.discard()
    assert done["given_back"] == 1
    job = read(job_id)
    assert (job.publication, job.errors[0]["type"]) == (2, "AttemptLost")
    assert (old.do(deliver=signed(job)) if healer == "new" else deliver_new(job)) == 200
    assert marks(connection, job_id) == [2]


def test_old_code_settles_what_qstash_gave_up(old: OldCode, connection: Connection, read: Read) -> None:
    job_id = enqueue(Note(text="completes"))
    body = json.loads(callback(unpublished(connection, job_id)))
    assert old.do(record_failure=event(json.dumps(body).encode())) == 200
    assert (read(job_id).status, read(job_id).publication) == ("pending", 2)


def unpublished(connection: Connection, job_id: UUID) -> Any:
    """A job as whoever publishes it sees it."""
    found = executions.find(connection, job_id)
    assert found is not None
    return found


# --- a deploy while jobs run --------------------------------------------------------------------------------


@pytest.fixture
def before_the_deploy(
    release: Path, server_url: str, tmp_path: Path, environment: pytest.MonkeyPatch
) -> Iterator[str]:
    """A database as the release's own migrations left it."""
    if version_of(release) == NEWEST:
        pytest.skip("no migration has come since")
    name = f"before_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        url = make_conninfo(server_url, dbname=name)
        migrate(url, migrations_up_to(version_of(release), tmp_path / "migrations"))
        environment.setenv("DATABASE_URL", url)
        yield url
        database.discard()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.mark.parametrize("end", ["it completes", "it is killed"])
def test_a_job_that_runs_through_a_deploy(
    release: Path, before_the_deploy: str, qstash: QStashServer, tmp_path: Path, end: str
) -> None:
    """Old code has claimed it and has written in its transaction; the migrations come; it ends, or dies and is healed."""
    with (
        psycopg.connect(before_the_deploy, autocommit=True, row_factory=dict_row) as connection,
        running(release, _folder(tmp_path)) as old,
    ):
        connection.execute("CREATE TABLE effects (job_id uuid, attempt int)")
        waiting, held = UUID(old.do(enqueue="completes")), UUID(old.do(enqueue="holds"))
        old.say(deliver=_first_delivery(held, "holds"))
        assert old.hear() == {"holding": str(held)}
        migrate(before_the_deploy)
        if end == "it completes":
            old.go_on()
            assert old.hear() == 200
        else:
            old.kill()
            _wait_until_gone(connection)
            expire(connection)
            assert reconcile()["given_back"] == 1
            assert deliver_new(_found(connection, held)) == 200
        assert deliver_new(_found(connection, waiting)) == 200
        job = _found(connection, held)
        assert (job.status, marks(connection, held)) == ("completed", [job.attempt])
        assert job.attempt == (1 if end == "it completes" else 2)


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    folder.mkdir()
    return folder


def _first_delivery(job_id: UUID, text: str) -> dict[str, Any]:
    envelope = Envelope(job_id=job_id, publication=1, type="crm-match", payload={"text": text})
    return event(envelope.to_wire())


def _found(connection: Connection, job_id: UUID) -> Execution:
    job = executions.find(connection, job_id)
    assert job is not None
    return job


def _wait_until_gone(connection: Connection) -> None:
    """Until Postgres has noticed that a client died, and rolled back what it left."""
    others = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    for _look in range(20_000):
        if connection.execute(others).fetchone() is None:
            return
    pytest.fail("the killed client's transaction is still open")
