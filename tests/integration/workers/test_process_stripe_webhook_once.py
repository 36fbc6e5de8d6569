"""process-stripe-webhook: each event once, whose it is, and what is none."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from infra.seed import Seeded
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint, armed
from shared.registry import JobType
from tests.integration.workers.conftest import Runner
from tests.integration.workers.stripe_events import (
    BEGAN,
    checkout,
    event_row,
    invoice,
    invoice_row,
    item,
    mails,
    one,
    paid_invoice,
    stripe_event,
    subscription,
    subscription_row,
    verdict,
)

CREATED, UPDATED = (f"customer.subscription.{each}" for each in ("created", "updated"))


@pytest.fixture
def handler(environment: pytest.MonkeyPatch) -> Any:
    return importlib.import_module("functions.process_stripe_webhook.handler").handler


@pytest.fixture
def customer(connection: Connection, seeded: Seeded) -> str:
    """The first organization's, at Stripe."""
    connection.execute("UPDATE app.organizations SET stripe_customer_id = NULL")
    connection.execute(
        "UPDATE app.organizations SET stripe_customer_id = 'cus_1' WHERE id = %s", [seeded.organization_id]
    )
    return "cus_1"


# --- once ----------------------------------------------------------------------------------------------------


def test_the_same_event_again_is_a_duplicate(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    payload = stripe_event(CREATED, subscription())
    run(handler, payload)
    before = subscription_row(connection)
    again = run(handler, payload)
    assert verdict(again) == ("duplicate", None)
    assert subscription_row(connection) == before
    assert len(mails(run)) == 1


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_leaves_nothing_half_made(
    run: Runner, handler: Any, connection: Connection, customer: str, point: FaultPoint
) -> None:
    with armed(point), pytest.raises(Crash):
        run(handler, stripe_event(CREATED, subscription()))
    assert connection.execute("SELECT FROM app.subscriptions WHERE plan = 'Team'").fetchone() is None
    assert mails(run) == []
    (job,) = run.accepted(JobType.PROCESS_STRIPE_WEBHOOK)
    connection.execute("UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'")
    assert run.deliver(handler, job.job_id) == 200
    assert run.deliver(handler, job.job_id) == 200
    assert subscription_row(connection)["status"] == "active"
    assert len(mails(run)) == 1


def test_the_receivers_row_is_settled(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    payload = stripe_event(CREATED, subscription())
    connection.execute(
        "INSERT INTO app.webhook_events (source, event_id, event_type, payload, user_agent) "
        "VALUES ('stripe', %s, %s, '{}', 'Stripe/1.0')",
        [payload.event_id, payload.event_type],
    )
    job = run(handler, payload)
    row = event_row(connection, payload)
    assert (row["status"], row["user_agent"], row["job_id"]) == ("processed", "Stripe/1.0", job.job_id)
    assert row["processed_at"] is not None


# --- whose ---------------------------------------------------------------------------------------------------


def test_an_event_does_not_move_what_is_anothers(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, customer: str
) -> None:
    """Whoever is at Stripe's end: ids of one organization's rows do nothing for another's customer."""
    run(handler, stripe_event(CREATED, subscription()))
    run(handler, stripe_event("invoice.finalized", invoice()))
    connection.execute(
        "UPDATE app.organizations SET stripe_customer_id = 'cus_2' WHERE id = %s",
        [seeded.other_organization_id],
    )
    before = subscription_row(connection), invoice_row(connection)
    theirs: dict[str, Any] = {"created": BEGAN + 10}
    moved = [
        stripe_event(UPDATED, subscription() | {"customer": "cus_2"}, **theirs),
        stripe_event("invoice.paid", paid_invoice() | {"customer": "cus_2"}, **theirs),
        stripe_event("invoice.voided", invoice(status="void", parent=None) | {"customer": "cus_2"}, **theirs),
    ]
    for each in moved:
        assert verdict(run(handler, each)) == (
            "ignored",
            "it belongs to another organization than its customer",
        )
    assert (subscription_row(connection), invoice_row(connection)) == before


def test_metadata_does_not_give_an_organizations_customer_to_another(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, customer: str
) -> None:
    run(
        handler,
        stripe_event(CREATED, subscription(metadata={"organization_id": str(seeded.other_organization_id)})),
    )
    assert subscription_row(connection)["organization_id"] == seeded.organization_id


@pytest.mark.parametrize("named", ["nobody", "999999", "-1", "9" * 30, None])
def test_an_event_of_a_customer_nobody_knows_is_ignored(
    run: Runner, handler: Any, connection: Connection, customer: str, named: str | None
) -> None:
    payloads = [
        stripe_event("checkout.session.completed", checkout("cus_3", named)),
        stripe_event(CREATED, subscription("cus_3", metadata={"organization_id": named})),
        stripe_event("invoice.finalized", invoice("cus_3")),
    ]
    for each in payloads:
        assert verdict(run(handler, each)) == ("ignored", "no organization has the customer cus_3")
        assert event_row(connection, each)["status"] == "ignored"


def test_an_organization_keeps_its_customer(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, customer: str
) -> None:
    payload = stripe_event("checkout.session.completed", checkout("cus_3", seeded.organization_id))
    assert verdict(run(handler, payload))[0] == "ignored"
    row = one(connection, "organizations", "id", str(seeded.organization_id))
    assert row["stripe_customer_id"] == "cus_1"


# --- what is no event ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", ["customer.updated", "invoice.created", "charge.refunded"])
def test_an_event_about_something_else_is_ignored(
    run: Runner, handler: Any, connection: Connection, event_type: str
) -> None:
    payload = stripe_event(event_type, {"id": "x"})
    assert verdict(run(handler, payload)) == (
        "ignored",
        f"{event_type} changes no subscription and no invoice",
    )
    assert event_row(connection, payload)["status"] == "ignored"


def test_a_checkout_of_a_single_payment_is_ignored(run: Runner, handler: Any, seeded: Seeded) -> None:
    payload = stripe_event(
        "checkout.session.completed", checkout(organization=1, mode="payment") | {"customer": None}
    )
    assert verdict(run(handler, payload)) == ("ignored", "the checkout began no subscription")


@pytest.mark.parametrize(
    ("event_type", "event_data", "words"),
    [
        (UPDATED, {"id": "sub_1"}, "customer: Field required"),
        (UPDATED, subscription(status="sleeping"), "status: Input should be 'incomplete'"),
        (UPDATED, subscription(items={"data": []}), "items.data: List should have at least 1 item"),
        (UPDATED, subscription(items={"data": [item(current_period_end=None)]}), "no its first item has"),
        (
            "invoice.paid",
            paid_invoice(amount_due=-1),
            "amount_due: Input should be greater than or equal to 0",
        ),
        ("checkout.session.completed", {"id": "cs_1"}, "mode: Field required"),
    ],
    ids=["empty", "status", "items", "period", "amount", "checkout"],
)
def test_an_event_of_another_shape_is_a_dead_letter(
    run: Runner, handler: Any, connection: Connection, event_type: str, event_data: dict[str, Any], words: str
) -> None:
    payload = stripe_event(event_type, event_data)
    job = run(handler, payload)
    assert (job.status, job.attempt) == ("failed", 1)
    assert words.replace("no its", "neither it nor its") in (job.error or "")
    row = event_row(connection, payload)
    assert (row["status"], row["error"]) == ("failed", job.error)


def test_a_failed_event_may_be_corrected(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    run(handler, stripe_event(CREATED, {"id": "sub_cus_1"}, event_id="evt_1"))
    assert verdict(run(handler, stripe_event(CREATED, subscription(), event_id="evt_1"))) == (
        "processed",
        None,
    )
    row = one(connection, "webhook_events", "event_id", "evt_1")
    assert (row["status"], row["error"]) == ("processed", None)


def test_an_owner_who_cannot_be_mailed_does_not_keep_the_money_from_being_written(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, customer: str
) -> None:
    connection.execute("UPDATE app.users SET email = 'ada@localhost' WHERE id = %s", [seeded.owner_id])
    assert verdict(run(handler, stripe_event(CREATED, subscription()))) == ("processed", None)
    assert mails(run) == []
