"""process-stripe-webhook: what each event does."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.seed import Seeded
from shared.database import Connection
from shared.emails.wording import money
from shared.registry import JobType
from tests.integration.workers.conftest import Runner
from tests.integration.workers.stripe_events import (
    BEGAN,
    DAY,
    MONTH,
    event_row,
    failed_invoice,
    invoice,
    invoice_row,
    item,
    mails,
    old_invoice,
    old_subscription,
    one,
    paid_invoice,
    stripe_event,
    subscription,
    subscription_row,
    verdict,
)

CREATED, UPDATED, DELETED = (f"customer.subscription.{each}" for each in ("created", "updated", "deleted"))


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


# --- subscriptions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [subscription, old_subscription], ids=["new", "old"])
def test_a_subscription_is_written_and_its_owner_told(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, customer: str, shape: Any
) -> None:
    payload = stripe_event(CREATED, shape())
    assert verdict(run(handler, payload)) == ("processed", None)
    row = subscription_row(connection)
    began = datetime.fromtimestamp(BEGAN, UTC)
    expected = {
        "organization_id": seeded.organization_id,
        "plan": "Team",
        "status": "active",
        "amount": 3 * 4_900,
        "currency": "USD",
        "billing_interval": "month",
        "interval_count": 1,
        "current_period_start": began,
        "current_period_end": began + timedelta(seconds=MONTH),
        "started_at": began,
        "canceled_at": None,
        "ended_at": None,
        "stripe_updated_at": began,
    }
    assert {name: row[name] for name in expected} == expected
    (mail,) = run.accepted(JobType.SEND_EMAIL)
    owner = one(connection, "users", "id", str(seeded.owner_id))
    assert (mail.payload["to"], mail.payload["template"]) == (owner["email"], "subscriptionCreated")
    assert (mail.user_id, mail.organization_id) == (seeded.owner_id, seeded.organization_id)
    assert mail.payload["data"]["amount"] == 14_700
    event = event_row(connection, payload)
    assert (event["status"], str(event["ip"]), event["occurred_at"]) == ("processed", "198.51.100.7", began)
    assert event["payload"]["data"]["object"] == payload.event_data


def test_a_subscription_begins_once(run: Runner, handler: Any, customer: str) -> None:
    """Incomplete until it is paid; the mail comes then, and not with a later renewal or recovery."""
    for second, status in enumerate(["incomplete", "active", "past_due", "active"]):
        run(handler, stripe_event(UPDATED, subscription(status=status), created=BEGAN + second))
        assert len(mails(run)) == (0 if second == 0 else 1)


def test_an_old_subscription_that_is_new_to_us_is_no_news(run: Runner, handler: Any, customer: str) -> None:
    payload = stripe_event(UPDATED, subscription(), created=BEGAN + 2 * DAY)
    assert verdict(run(handler, payload)) == ("processed", None)
    assert mails(run) == []


def test_a_deleted_subscription_is_over_for_good(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    over: dict[str, Any] = {"status": "canceled", "canceled_at": BEGAN + 50, "ended_at": BEGAN + 100}
    run(handler, stripe_event(CREATED, subscription()))
    run(handler, stripe_event(DELETED, subscription(**over), created=BEGAN + 100))
    late = run(handler, stripe_event(UPDATED, subscription(), created=BEGAN + 200))
    assert verdict(late) == ("ignored", "a newer event, or this state, was applied before")
    row = subscription_row(connection)
    assert (row["status"], row["ended_at"]) == ("canceled", datetime.fromtimestamp(BEGAN + 100, UTC))


def test_a_deletion_that_comes_late_counts(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    run(handler, stripe_event(UPDATED, subscription(), created=BEGAN + 200))
    run(handler, stripe_event(DELETED, subscription(status="canceled"), created=BEGAN + 100))
    assert subscription_row(connection)["status"] == "canceled"


def test_an_older_event_changes_nothing(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    run(handler, stripe_event(UPDATED, subscription(status="past_due"), created=BEGAN + 10))
    before = subscription_row(connection)
    late = run(handler, stripe_event(CREATED, subscription()))
    assert verdict(late)[0] == "ignored"
    assert subscription_row(connection) == before


def test_what_cancels_at_the_periods_end(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    """Newer accounts are told the time instead."""
    run(handler, stripe_event(UPDATED, subscription(cancel_at=BEGAN + MONTH), created=BEGAN + 1))
    assert subscription_row(connection)["cancel_at_period_end"] is True


@pytest.mark.parametrize(
    ("items", "amount"),
    [
        ([item(1_000, 2), item(250, 1)], 2_250),
        ([item(1_000, None)], 0),
        ([item(None, 5)], 0),
    ],
    ids=["several", "metered", "tiers"],
)
def test_the_amount_is_a_whole_intervals(
    run: Runner, handler: Any, connection: Connection, customer: str, items: list[Any], amount: int
) -> None:
    run(handler, stripe_event(CREATED, subscription(items={"data": items})))
    assert subscription_row(connection)["amount"] == amount


def test_fractions_of_a_cent_are_rounded_in_the_sum(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    fine = item(None, 1_000)
    fine["price"]["unit_amount_decimal"] = "0.25"
    run(handler, stripe_event(CREATED, subscription(items={"data": [fine]})))
    assert subscription_row(connection)["amount"] == 250


@pytest.mark.parametrize(
    ("currency", "at_stripe", "amount", "words"),
    [
        ("usd", 14_700, 14_700, "$147.00"),
        ("jpy", 14_700, 14_700, "¥14,700"),
        ("kwd", 14_700, 14_700, "14.700 KWD"),
        # Of these Stripe's smallest unit is not ISO 4217's.
        ("isk", 14_700, 147, "147 ISK"),
        ("ugx", 14_700, 147, "147 UGX"),
        ("mga", 14_700, 1_470_000, "14,700.00 MGA"),
    ],
)
def test_amounts_are_in_their_currencys_smallest_unit(
    run: Runner,
    handler: Any,
    connection: Connection,
    customer: str,
    currency: str,
    at_stripe: int,
    amount: int,
    words: str,
) -> None:
    begun = subscription(items={"data": [item(at_stripe, 1)]})
    begun["items"]["data"][0]["price"]["currency"] = currency
    amounts: dict[str, Any] = {"amount_due": at_stripe, "amount_remaining": at_stripe, "currency": currency}
    run(handler, stripe_event(CREATED, begun))
    run(handler, stripe_event("invoice.payment_failed", failed_invoice(**amounts)))
    paid = paid_invoice(id="in_2", amount_due=at_stripe, amount_paid=at_stripe, currency=currency)
    run(handler, stripe_event("invoice.paid", paid))
    assert subscription_row(connection)["amount"] == amount
    assert invoice_row(connection)["amount_due"] == amount
    settled = one(connection, "invoices", "stripe_invoice_id", "in_2")
    assert (settled["amount_due"], settled["amount_paid"]) == (amount, amount)
    begin, fail = (job.payload["data"] for job in run.accepted(JobType.SEND_EMAIL))
    assert begin["amount"] == fail["amount"] == amount
    assert money(amount, currency.upper()).replace("\N{NO-BREAK SPACE}", " ") == words


def test_an_invoice_of_no_customer_is_ignored(run: Runner, handler: Any, customer: str) -> None:
    payload = stripe_event("invoice.paid", paid_invoice() | {"customer": None})
    assert verdict(run(handler, payload)) == ("ignored", "it has no customer")


def test_a_quarterly_subscription_is_written_and_no_mail_speaks_of_months(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    quarterly = item()
    quarterly["price"]["recurring"] = {"interval": "month", "interval_count": 3}
    run(handler, stripe_event(CREATED, subscription(items={"data": [quarterly]})))
    assert subscription_row(connection)["interval_count"] == 3
    assert mails(run) == []


# --- invoices ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [invoice, old_invoice], ids=["new", "old"])
def test_an_invoice_is_written(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, customer: str, shape: Any
) -> None:
    run(handler, stripe_event(CREATED, subscription()))
    run(handler, stripe_event("invoice.finalized", shape()))
    row = invoice_row(connection)
    assert (row["organization_id"], row["subscription_id"]) == (
        seeded.organization_id,
        subscription_row(connection)["id"],
    )
    assert (row["status"], row["amount_due"], row["currency"]) == ("open", 14_700, "USD")


def test_a_failed_payment_is_told_and_a_late_one_is_not(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    run(handler, stripe_event(CREATED, subscription(), created=BEGAN))
    run(handler, stripe_event("invoice.payment_failed", failed_invoice(attempt=2), created=BEGAN + 20))
    run(handler, stripe_event("invoice.payment_failed", failed_invoice(attempt=1), created=BEGAN + 10))
    told = run.accepted(JobType.SEND_EMAIL)
    assert [each.payload["template"] for each in told] == ["subscriptionCreated", "paymentFailed"]
    data = told[1].payload["data"]
    assert (data["amount"], data["planName"]) == (14_700, "Team")
    assert data["updatePaymentUrl"] == "https://invoice.example.com/i/1"
    assert invoice_row(connection)["attempt_count"] == 2


def test_a_paid_invoice_stays_paid(run: Runner, handler: Any, connection: Connection, customer: str) -> None:
    run(handler, stripe_event(CREATED, subscription(), created=BEGAN))
    run(handler, stripe_event("invoice.paid", paid_invoice(), created=BEGAN + 60))
    run(handler, stripe_event("invoice.payment_failed", failed_invoice(), created=BEGAN + 30))
    row = invoice_row(connection)
    assert (row["status"], row["amount_paid"]) == ("paid", 14_700)
    assert row["paid_at"] == datetime.fromtimestamp(BEGAN + 60, UTC)
    assert [template for template, _to in mails(run)] == ["subscriptionCreated"]


def test_an_invoice_of_its_own_needs_no_subscription(
    run: Runner, handler: Any, connection: Connection, customer: str
) -> None:
    run(handler, stripe_event("invoice.finalized", invoice(parent=None)))
    assert invoice_row(connection)["subscription_id"] is None
