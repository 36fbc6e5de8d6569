"""process-webhook with custom senders' events and Stripe's."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.seed import Seeded
from shared import database, dispatcher
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint, armed
from shared.jobs.process_webhook import ProcessWebhook
from shared.registry import JobType
from shared.testing import Jobs
from shared.webhook_events import Processed
from tests.integration.workers.conftest import LEASE, Runner

AT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def custom_event(event: str = "invoice.imported", **changes: Any) -> ProcessWebhook:
    fields = {"source": "custom", "name": "accounting", "event": event, "data": {"number": "2026-17"}}
    return ProcessWebhook(**fields | {"event_id": "import-1", "occurred_at": AT} | changes)


@pytest.fixture
def handler(environment: pytest.MonkeyPatch) -> Any:
    return importlib.import_module("functions.process_webhook.handler").handler


def activities(connection: Connection, source: str) -> list[dict[str, Any]]:
    return connection.execute(
        "SELECT * FROM app.activity_logs WHERE source = %s ORDER BY id", [source]
    ).fetchall()


@pytest.fixture(autouse=True)
def no_other_activity(connection: Connection) -> None:
    connection.execute("DELETE FROM app.activity_logs WHERE source = 'accounting'")


def events(connection: Connection, event_id: str) -> list[dict[str, Any]]:
    return connection.execute("SELECT * FROM app.webhook_events WHERE event_id = %s", [event_id]).fetchall()


# --- custom senders ------------------------------------------------------------------------------------------


def test_a_custom_event_goes_to_its_handler(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    run(handler, custom_event(), organization_id=seeded.organization_id)
    (activity,) = activities(connection, "accounting")
    assert (activity["action"], activity["subject_id"]) == ("invoice.imported", "2026-17")
    (row,) = events(connection, "import-1")
    assert (row["source"], row["name"], row["status"]) == ("custom", "accounting", "processed")


def test_what_a_standard_body_is_about_is_in_its_data(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    body = {"type": "invoice.imported", "timestamp": "2026-05-01T09:30:00Z", "data": {"number": "2026-18"}}
    run(handler, custom_event(data=body), organization_id=seeded.organization_id)
    (activity,) = activities(connection, "accounting")
    assert (activity["subject_id"], activity["data"]) == ("2026-18", {"number": "2026-18"})


def test_the_same_event_again_does_not_reach_the_handler(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    for _time in range(2):
        run(handler, custom_event(), organization_id=seeded.organization_id)
    assert len(activities(connection, "accounting")) == 1


def test_two_senders_may_use_the_same_id(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    for name in ("accounting", "archive", None):
        run(handler, custom_event(name=name), organization_id=seeded.organization_id)
    rows = events(connection, "import-1")
    assert {(row["name"], row["status"]) for row in rows} == {
        (name, "processed") for name in ("accounting", "archive", "custom")
    }


def test_an_event_without_an_id_is_the_jobs(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    job = run(handler, custom_event(event_id=None), organization_id=seeded.organization_id)
    (row,) = events(connection, str(job.job_id))
    assert row["status"] == "processed"


def test_a_custom_event_without_handler_is_ignored(run: Runner, handler: Any, connection: Connection) -> None:
    job = run(handler, custom_event("stock.counted"))
    assert job.result["reason"] == "no handler is registered for stock.counted"
    (row,) = events(connection, "import-1")
    assert row["status"] == "ignored"


def test_a_handlers_doubts_make_a_dead_letter(run: Runner, handler: Any, seeded: Seeded) -> None:
    job = run(handler, custom_event(data={}), organization_id=seeded.organization_id)
    assert (job.status, job.error) == ("failed", "number: an imported invoice has one, as text")


def test_a_handlers_error_is_tried_again(
    run: Runner, handler: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of what it wrote stays."""
    from functions.process_webhook import custom

    def stumble(connection: Connection, _job: Any) -> Processed:
        connection.execute("INSERT INTO app.users (email, name) VALUES ('half@example.com', 'Half')")
        raise OSError("the other side is away")

    monkeypatch.setitem(custom._HANDLERS, "stock.counted", stumble)
    job = run(handler, custom_event("stock.counted"))
    assert (job.status, job.error) == ("retrying", "the other side is away")
    assert connection.execute("SELECT FROM app.users WHERE email = 'half@example.com'").fetchone() is None
    assert events(connection, "import-1") == []


def test_a_name_has_one_handler(handler: Any) -> None:
    from functions.process_webhook.custom import on

    with pytest.raises(ValueError, match=r"'invoice\.imported' has a handler already: log_import"):
        on("invoice.imported")


def test_the_receivers_row_is_settled(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    connection.execute(
        "INSERT INTO app.webhook_events (source, name, event_id, event_type, status, payload, user_agent) "
        "VALUES ('custom', 'accounting', 'import-1', 'invoice.imported', 'queued', '{\"raw\": 1}', 'Books/2')"
    )
    job = run(handler, custom_event(), organization_id=seeded.organization_id)
    (row,) = events(connection, "import-1")
    assert (row["status"], row["user_agent"], row["job_id"]) == ("processed", "Books/2", job.job_id)
    assert row["payload"] == {"raw": 1}


# --- Stripe --------------------------------------------------------------------------------------------------

STRIPE_OBJECT = {"id": "in_1", "object": "invoice", "amount_due": 100}


@pytest.mark.parametrize(
    "data",
    [
        {
            "id": "evt_1",
            "object": "event",
            "type": "invoice.paid",
            "created": int(AT.timestamp()),
            "data": {"object": STRIPE_OBJECT},
        },
        STRIPE_OBJECT,
    ],
    ids=["whole", "object"],
)
def test_stripes_events_are_handed_to_their_own_job(
    run: Runner, handler: Any, connection: Connection, data: dict[str, Any]
) -> None:
    payload = ProcessWebhook(
        source="stripe",
        event="invoice.paid",
        event_id="evt_1",
        occurred_at=AT,
        data=data,
        signature="t=1,v1=2",
    )
    job = run(handler, payload)
    assert job.result == {"eventId": "evt_1", "status": "handed over"}
    (next_job,) = run.accepted(JobType.PROCESS_STRIPE_WEBHOOK)
    assert next_job.payload == {
        "eventType": "invoice.paid",
        "eventId": "evt_1",
        "created": int(AT.timestamp()),
        "eventData": STRIPE_OBJECT,
        "ipAddress": None,
    }
    assert events(connection, "evt_1") == []  # the other job's


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_hands_an_event_of_stripe_over_once(
    run: Runner, handler: Any, jobs: Jobs, point: FaultPoint
) -> None:
    payload = ProcessWebhook(
        source="stripe", event="invoice.paid", event_id="evt_1", occurred_at=AT, data=STRIPE_OBJECT
    )
    job_id = dispatcher.enqueue(payload)
    with armed(point), pytest.raises(Crash):
        run.deliver(handler, job_id)
    database.discard()
    assert run.accepted(JobType.PROCESS_STRIPE_WEBHOOK) == []
    jobs.advance(LEASE)
    for _delivery in range(2):
        assert run.deliver(handler, job_id) == 200
    assert len(run.accepted(JobType.PROCESS_STRIPE_WEBHOOK)) == 1


def test_what_is_no_event_of_stripe_is_a_dead_letter(run: Runner, handler: Any) -> None:
    job = run(handler, ProcessWebhook(source="stripe", event="invoice.paid", data={"object": "event"}))
    assert (job.status, run.accepted(JobType.PROCESS_STRIPE_WEBHOOK)) == ("failed", [])
    assert "this is no event of Stripe" in (job.error or "")
