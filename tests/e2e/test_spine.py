"""From `enqueue` through QStash and the real Lambda runtime into a mailbox, with things breaking on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from infra.local.cloud import LocalCloud
from shared import database
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.jobs.send_email import SendEmail
from shared.rows import Execution
from tests.e2e.conftest import wait_for, wait_until_ended
from tests.integration.jobs import Note
from tests.sample_emails import DATA

pytestmark = pytest.mark.usefixtures("producer")


def mail_to(cloud: LocalCloud, address: str) -> list[Any]:
    return [mail for mail in cloud.mailbox.mails if mail.to == [address]]


def ledger(connection: Connection, job_id: UUID) -> list[int]:
    rows = connection.execute("SELECT attempt FROM ledger WHERE job_id = %s", [job_id]).fetchall()
    return [row["attempt"] for row in rows]


# --- mails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", DATA)
def test_each_mail_arrives(cloud: LocalCloud, template: str) -> None:
    address = f"{template.lower()}@example.com"
    email = SendEmail.model_validate({"to": address, "template": template, "data": DATA[template]})
    job = wait_until_ended(enqueue(email, user_id=1))
    assert (job.status, job.attempt) == ("completed", 1)
    (mail,) = mail_to(cloud, address)
    assert mail.idempotency_key == str(job.job_id)
    assert job.result == {"emailId": mail.id, "template": template}
    assert mail.html
    assert mail.text


def test_a_mail_whose_first_two_deliveries_fail_arrives_once(cloud: LocalCloud) -> None:
    cloud.mailbox.fail_next(2, status=503, to="unlucky@example.com")
    job = wait_until_ended(enqueue(welcome("unlucky@example.com")))
    assert (job.status, job.attempt, len(job.errors)) == ("completed", 3, 2)
    assert len(mail_to(cloud, "unlucky@example.com")) == 1


def test_resends_retry_after_is_followed(cloud: LocalCloud, cloud_lines: list[str]) -> None:
    cloud.mailbox.fail_next(1, status=429, retry_after=17, to="slow@example.com")
    job = wait_until_ended(enqueue(welcome("slow@example.com")))
    assert (job.status, job.attempt) == ("completed", 2)
    assert any("retry 1 in 0.2 s" in line for line in cloud_lines)  # 17 s, at a hundredth


def test_a_mail_that_resend_refuses_is_a_dead_letter_at_once(cloud: LocalCloud) -> None:
    cloud.mailbox.fail_next(1, status=422, to="refused@example.com")
    job = wait_until_ended(enqueue(welcome("refused@example.com")))
    assert (job.status, job.attempt) == ("failed", 1)
    assert "Resend" in (job.error or "")
    connection_dlq = wait_for_dlq(job.job_id)
    assert connection_dlq is not None


def wait_for_dlq(job_id: UUID) -> str:
    """record_failure has been called back and noted where QStash keeps the message."""
    found: list[str] = []

    def noted() -> bool:
        row = database.run(
            lambda connection: connection.execute(
                "SELECT dlq_id FROM job_executions WHERE job_id = %s", [job_id]
            ).fetchone()
        )
        assert row is not None
        found.append(row["dlq_id"])
        return found[-1] is not None

    wait_for("the dead letter's id", noted)
    return found[-1]


def welcome(address: str) -> SendEmail:
    return SendEmail.model_validate({"to": address, "template": "welcome", "data": {"name": "Ada"}})


# --- things that break -------------------------------------------------------------------------------------


def test_a_killed_process_costs_an_attempt_and_no_effect(
    cloud: LocalCloud, connection: Connection, gate: Callable[[str], None]
) -> None:
    job_id = enqueue(Note(text="killed"))
    wait_for("the job to run", lambda: cloud.functions.busy("crm-match"))
    wait_for("the claim", lambda: status(connection, job_id) == "processing")
    (pid,) = cloud.functions.busy("crm-match")
    os.kill(pid, signal.SIGKILL)
    wait_for("the process to be gone", lambda: not cloud.functions.busy("crm-match"))
    gate("killed")
    end_leases(connection)
    cloud.reconcile()
    job = wait_until_ended(job_id)
    assert job.status == "completed"
    assert job.errors[0]["type"] == "AttemptLost"
    assert ledger(connection, job_id) == [job.attempt]  # the killed attempt's write is not there


def test_postgres_restarted_under_a_running_job(
    cloud: LocalCloud, connection: Connection, gate: Callable[[str], None]
) -> None:
    assert cloud.postgres is not None
    job_id = enqueue(Note(text="restarted"))
    wait_for("the claim", lambda: status(connection, job_id) == "processing")
    wait_for("the write", lambda: idle_in_transaction(connection))
    cloud.postgres.stop(immediate=True)
    cloud.postgres.start()
    gate("restarted")
    database.discard()
    job = heal_until_ended(cloud, job_id)
    assert job.status == "completed"
    with psycopg.connect(cloud.database_url, row_factory=psycopg.rows.dict_row) as again:
        assert ledger(again, job_id) == [job.attempt]


def test_postgres_down_when_a_delivery_comes(cloud: LocalCloud, gate: Callable[[str], None]) -> None:
    assert cloud.postgres is not None
    gate("down")
    job_id = enqueue(Note(text="down"), delay=1)
    database.discard()
    cloud.postgres.stop(immediate=True)
    wait_for("a refused delivery", lambda: qstash_errors(cloud))
    cloud.postgres.start()
    job = heal_until_ended(cloud, job_id)
    assert (job.status, job.attempt) == ("completed", 1)


def test_qstash_down_during_enqueue(
    cloud: LocalCloud, connection: Connection, gate: Callable[[str], None]
) -> None:
    gate("outage")
    cloud._background.call(cloud.qstash.stop())
    try:
        job_id = enqueue(Note(text="outage"))
        assert status(connection, job_id) == "pending"
    finally:
        cloud._background.call(cloud.qstash.start())
    connection.execute("UPDATE job_executions SET publish_after = now() WHERE job_id = %s", [job_id])
    cloud.reconcile()
    assert wait_until_ended(job_id).status == "completed"


def test_every_delivery_made_three_times_runs_the_job_once(
    cloud: LocalCloud, connection: Connection, gate: Callable[[str], None]
) -> None:
    gate("copies")
    cloud.qstash.faults.duplicate(3)
    try:
        job = wait_until_ended(enqueue(Note(text="copies")))
    finally:
        cloud.qstash.faults.clear()
    assert (job.status, job.attempt, ledger(connection, job.job_id)) == ("completed", 1, [1])


def test_a_request_that_qstash_did_not_sign_is_401(cloud: LocalCloud) -> None:
    answer = httpx.post(cloud.endpoints["send-email"], json={"type": "send-email", "payload": {}})
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


def test_the_signing_keys_are_rotated_and_no_job_is_lost(
    cloud: LocalCloud, gate: Callable[[str], None]
) -> None:
    from qstash import QStash

    client = QStash(cloud.qstash.token, base_url=cloud.qstash.url)
    client.signing_key.rotate()  # the functions know the new current key as their next one
    client.http._client.close()
    gate("rotated")
    job = wait_until_ended(enqueue(Note(text="rotated")))
    assert (job.status, job.attempt) == ("completed", 1)


def status(connection: Connection, job_id: UUID) -> str:
    row = connection.execute("SELECT status FROM job_executions WHERE job_id = %s", [job_id]).fetchone()
    assert row is not None
    found: str = row["status"]
    return found


def heal_until_ended(cloud: LocalCloud, job_id: UUID) -> Execution:
    """The job's end, letting the time pass that leases and the waits for reconcile still have."""

    def healed() -> bool:
        with psycopg.connect(cloud.database_url, autocommit=True) as connection:
            if not cloud.functions.busy("crm-match"):
                connection.execute(
                    "UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'"
                )
                connection.execute(
                    "UPDATE job_executions SET publish_after = now() WHERE published_at IS NULL"
                )
                cloud.reconcile()
            return (
                connection.execute(
                    "SELECT FROM job_executions WHERE job_id = %s AND completed_at IS NOT NULL", [job_id]
                ).fetchone()
                is not None
            )

    wait_for("the job to heal", healed)
    return wait_until_ended(job_id)


def end_leases(connection: Connection) -> None:
    """Let the time pass that a crashed attempt's lease still has."""
    connection.execute("UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'")


def idle_in_transaction(connection: Connection) -> bool:
    row = connection.execute("SELECT FROM pg_stat_activity WHERE state = 'idle in transaction'").fetchone()
    return row is not None


def qstash_errors(cloud: LocalCloud) -> bool:
    events = httpx.get(
        f"{cloud.qstash.url}/v2/events?state=ERROR&count=1",
        headers={"Authorization": f"Bearer {cloud.qstash.token}"},
    ).json()["events"]
    return bool(events) and events[0].get("responseStatus") == 503
