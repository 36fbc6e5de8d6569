"""process-webhook with Resend's events: what became of each mail, and whom not to mail again."""

from __future__ import annotations

import importlib
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.database import Connection
from shared.fault_points import Crash, FaultPoint, armed
from shared.jobs.process_webhook import ProcessWebhook
from shared.registry import JobType
from tests.integration.workers.conftest import Runner

SENT_AT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
STEPS = ["sent", "delivery_delayed", "delivered", "opened", "clicked"]


def resend_event(
    step: str, *, mail: str = "mail-1", minutes: int = 0, event_id: str | None = None, **data: Any
) -> ProcessWebhook:
    """As Resend sends it: an envelope around what the mail was."""
    at = SENT_AT + timedelta(minutes=minutes)
    body = {
        "type": f"email.{step}",
        "created_at": at.isoformat(),
        "data": {
            "email_id": mail,
            "created_at": SENT_AT.isoformat(),
            "from": "Acme <hello@example.com>",
            "to": ["Ada@Example.com"],
            "subject": "Welcome",
        }
        | data,
    }
    event_id = event_id or f"msg_{mail}_{step}_{minutes}"
    return ProcessWebhook(source="resend", event=f"email.{step}", event_id=event_id, data=body)


def bounce(kind: str | None = "Permanent", **changes: Any) -> ProcessWebhook:
    details = {"message": "550 no such mailbox", "subType": "General"} | ({"type": kind} if kind else {})
    return resend_event("bounced", bounce=details, **changes)


@pytest.fixture
def handler(environment: pytest.MonkeyPatch) -> Any:
    return importlib.import_module("functions.process_webhook.handler").handler


def delivery(connection: Connection, mail: str = "mail-1") -> dict[str, Any]:
    row = connection.execute("SELECT * FROM app.email_deliveries WHERE provider_id = %s", [mail]).fetchone()
    assert row is not None
    return {name: value for name, value in row.items() if name != "id"}


def suppression(connection: Connection, address: str = "ada@example.com") -> dict[str, Any] | None:
    return connection.execute("SELECT * FROM app.email_suppressions WHERE email = %s", [address]).fetchone()


def event_row(connection: Connection, payload: ProcessWebhook) -> dict[str, Any]:
    row = connection.execute(
        "SELECT * FROM app.webhook_events WHERE source = 'resend' AND event_id = %s", [payload.event_id]
    ).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("sent", "sent"),
        ("delivery_delayed", "delayed"),
        ("delivered", "delivered"),
        ("opened", "opened"),
        ("clicked", "clicked"),
        ("failed", "failed"),
        ("bounced", "bounced"),
        ("complained", "complained"),
    ],
)
def test_each_event_has_its_status_and_time(
    run: Runner, handler: Any, connection: Connection, step: str, status: str
) -> None:
    payload = resend_event(step, minutes=5)
    job = run(handler, payload)
    assert (job.status, job.result["status"]) == ("completed", "processed")
    row = delivery(connection)
    at = SENT_AT + timedelta(minutes=5)
    assert (row["status"], row[f"{status}_at"], row["last_event_at"]) == (status, at, at)
    assert (row["recipient"], row["queued_at"]) == ("Ada@Example.com", SENT_AT)
    event = event_row(connection, payload)
    assert (event["status"], event["event_type"], event["job_id"]) == (
        "processed",
        f"email.{step}",
        job.job_id,
    )


def test_the_data_may_come_without_its_envelope(run: Runner, handler: Any, connection: Connection) -> None:
    whole = resend_event("delivered")
    at = SENT_AT + timedelta(seconds=7)
    run(handler, whole.model_copy(update={"data": whole.data["data"], "occurred_at": at}))
    assert delivery(connection)["delivered_at"] == at


def test_a_late_event_does_not_take_the_status_back(
    run: Runner, handler: Any, connection: Connection
) -> None:
    run(handler, resend_event("complained", minutes=9))
    run(handler, resend_event("delivered", minutes=1))
    row = delivery(connection)
    assert (row["status"], row["detail"]) == ("complained", "marked as spam by the recipient")
    assert row["delivered_at"] == SENT_AT + timedelta(minutes=1)
    assert row["last_event_at"] == SENT_AT + timedelta(minutes=9)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([*STEPS, "bounced", "complained", "opened"]))
def test_any_order_comes_to_the_same(
    run: Runner, handler: Any, connection: Connection, order: list[str]
) -> None:
    connection.execute("DELETE FROM app.email_deliveries WHERE provider_id IN ('mail-a', 'mail-b')")
    connection.execute("DELETE FROM app.webhook_events")
    ways = {"mail-a": sorted(order), "mail-b": order}
    for mail, steps in ways.items():
        for number, step in enumerate(steps):
            minutes = len(step) + (100 if step == "opened" and "opened" in steps[:number] else 0)
            run(handler, resend_event(step, mail=mail, minutes=minutes))
    first, second = delivery(connection, "mail-a"), delivery(connection, "mail-b")
    assert first | {"provider_id": None} == second | {"provider_id": None}
    assert first["status"] == "complained"
    assert first["opened_at"] == SENT_AT + timedelta(minutes=len("opened"))


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (bounce("Permanent"), "bounced", "550 no such mailbox"),
        (bounce(None), "bounced", "550 no such mailbox"),
        (resend_event("complained"), "complained", "marked as spam by the recipient"),
    ],
    ids=["hard bounce", "bounce without a type", "complaint"],
)
def test_an_address_is_suppressed(
    run: Runner, handler: Any, connection: Connection, payload: ProcessWebhook, reason: str, detail: str
) -> None:
    run(handler, payload)
    assert suppression(connection) == {
        "email": "ada@example.com",
        "reason": reason,
        "detail": detail,
        "created_at": SENT_AT,
    }


@pytest.mark.parametrize(
    "payload",
    [bounce("Transient"), bounce("Undetermined"), bounce(to=["ada@example.com", "bob@example.com"])],
    ids=["transient", "undetermined", "several recipients"],
)
def test_an_address_is_not_suppressed(
    run: Runner, handler: Any, connection: Connection, payload: ProcessWebhook
) -> None:
    run(handler, payload)
    assert delivery(connection)["status"] == "bounced"
    assert suppression(connection) is None


def test_who_is_suppressed_stays_so_for_the_first_reason(
    run: Runner, handler: Any, connection: Connection
) -> None:
    connection.execute(
        "INSERT INTO app.email_suppressions (email, reason) VALUES ('ada@example.com', 'manual')"
    )
    run(handler, resend_event("complained"))
    kept = suppression(connection)
    assert kept is not None
    assert kept["reason"] == "manual"


def test_the_same_event_again_is_a_duplicate(run: Runner, handler: Any, connection: Connection) -> None:
    run(handler, bounce())
    connection.execute("DELETE FROM app.email_suppressions WHERE email = 'ada@example.com'")  # by an operator
    again = run(handler, bounce())
    assert again.result == {"eventId": "msg_mail-1_bounced_0", "status": "duplicate", "reason": None}
    assert suppression(connection) is None


@pytest.mark.parametrize("event", ["contact.created", "email.scheduled", "email.something_new"])
def test_other_events_are_ignored(run: Runner, handler: Any, connection: Connection, event: str) -> None:
    payload = ProcessWebhook(source="resend", event=event, event_id="msg_1", data={"type": event})
    job = run(handler, payload)
    assert (job.status, job.result["status"]) == ("completed", "ignored")
    row = event_row(connection, payload)
    assert (row["status"], row["error"]) == ("ignored", f"{event} says nothing about a mail's delivery")
    assert row["processed_at"] is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"email_id": ""}, "data.email_id: String should have at least 1 character"),
        ({"to": []}, "data.to: List should have at least 1 item"),
        ({"to": ["nobody"]}, "data.to.0: Value error, Input should be an address"),
    ],
    ids=["id", "nobody", "address"],
)
def test_an_event_of_another_shape_is_a_dead_letter(
    run: Runner, handler: Any, connection: Connection, changes: dict[str, Any], words: str
) -> None:
    payload = resend_event("delivered", event_id="msg_1", **changes)
    job = run(handler, payload)
    assert (job.status, job.attempt) == ("failed", 1)
    assert words in (job.error or "")
    row = event_row(connection, payload)
    assert (row["status"], row["error"]) == ("failed", job.error)


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_leaves_nothing_half_made(
    run: Runner, handler: Any, connection: Connection, point: FaultPoint
) -> None:
    with armed(point), pytest.raises(Crash):
        run(handler, bounce())
    found = connection.execute("SELECT FROM app.email_deliveries WHERE provider_id = 'mail-1'").fetchone()
    assert (found, suppression(connection)) == (None, None)
    (job,) = run.accepted(JobType.PROCESS_WEBHOOK)
    connection.execute("UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'")
    for _time in range(2):
        assert run.deliver(handler, job.job_id) == 200
    assert delivery(connection)["status"] == "bounced"
    assert suppression(connection) is not None


def test_all_pairs_of_statuses_have_an_order(run: Runner, handler: Any, connection: Connection) -> None:
    """The worse news wins, whichever comes last."""
    for first, second in itertools.permutations(["delivered", "bounced", "complained"], 2):
        mail = f"mail-{first}-{second}"
        run(handler, resend_event(first, mail=mail))
        run(handler, resend_event(second, mail=mail))
        expected = "complained" if "complained" in {first, second} else "bounced"
        assert delivery(connection, mail)["status"] == expected
