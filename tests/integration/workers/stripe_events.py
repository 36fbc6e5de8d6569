"""Stripe's events about one customer, in the shapes of both API versions, and a look at what comes of them."""

from __future__ import annotations

from typing import Any

from shared.database import Connection
from shared.jobs.process_stripe_webhook import ProcessStripeWebhook
from shared.registry import JobType
from shared.rows import Execution
from tests.integration.workers.conftest import Runner

DAY = 86_400
BEGAN = 1_788_000_000  # Unix seconds
MONTH = 30 * DAY


def stripe_event(
    event_type: str, event_data: dict[str, Any], *, created: int = BEGAN, event_id: str | None = None
) -> ProcessStripeWebhook:
    return ProcessStripeWebhook(
        event_type=event_type,
        event_id=event_id or f"evt_{event_type}_{event_data['id']}_{created}",
        created=created,
        event_data=event_data,
        ip_address="198.51.100.7",
    )


def checkout(
    customer: str = "cus_1", organization: int | str | None = None, **changes: Any
) -> dict[str, Any]:
    return {
        "id": f"cs_{customer}",
        "object": "checkout.session",
        "mode": "subscription",
        "customer": customer,
        "subscription": f"sub_{customer}",
        "client_reference_id": None if organization is None else str(organization),
        "metadata": {},
    } | changes


def subscription(customer: str = "cus_1", **changes: Any) -> dict[str, Any]:
    """As since 2025-03-31: the period is the item's."""
    return {
        "id": f"sub_{customer}",
        "object": "subscription",
        "customer": customer,
        "status": "active",
        "created": BEGAN,
        "start_date": BEGAN,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "ended_at": None,
        "trial_end": None,
        "metadata": {},
        "items": {"object": "list", "data": [item()]},
    } | changes


def item(unit_amount: int | None = 4_900, quantity: int | None = 3, **changes: Any) -> dict[str, Any]:
    price = {
        "id": "price_team",
        "nickname": "Team",
        "lookup_key": None,
        "currency": "usd",
        "unit_amount": unit_amount,
        "recurring": {"interval": "month", "interval_count": 1},
    }
    counted = {} if quantity is None else {"quantity": quantity}
    period = {"current_period_start": BEGAN, "current_period_end": BEGAN + MONTH}
    return {"id": "si_1", "price": price} | counted | period | changes


def old_subscription(customer: str = "cus_1", **changes: Any) -> dict[str, Any]:
    """As before 2025-03-31: the period is the subscription's."""
    bare = {name: value for name, value in item().items() if not name.startswith("current_period")}
    period = {"current_period_start": BEGAN, "current_period_end": BEGAN + MONTH}
    return subscription(customer, **period, items={"object": "list", "data": [bare]}, **changes)


def invoice(customer: str = "cus_1", **changes: Any) -> dict[str, Any]:
    """As since 2025-03-31: the subscription is the parent's."""
    details = {"subscription": f"sub_{customer}", "metadata": {}}
    return {
        "id": f"in_{customer}",
        "object": "invoice",
        "customer": customer,
        "status": "open",
        "created": BEGAN,
        "currency": "usd",
        "number": "ACME-0001",
        "amount_due": 14_700,
        "amount_paid": 0,
        "amount_remaining": 14_700,
        "attempt_count": 0,
        "due_date": None,
        "hosted_invoice_url": "https://invoice.example.com/i/1",
        "next_payment_attempt": None,
        "status_transitions": {"paid_at": None},
        "parent": {"type": "subscription_details", "subscription_details": details},
    } | changes


def old_invoice(customer: str = "cus_1", **changes: Any) -> dict[str, Any]:
    """As before 2025-03-31: it names the subscription itself."""
    return invoice(customer, parent=None, subscription=f"sub_{customer}", **changes)


def failed_invoice(customer: str = "cus_1", attempt: int = 1, **changes: Any) -> dict[str, Any]:
    next_attempt = BEGAN + 3 * DAY
    return invoice(customer, attempt_count=attempt, next_payment_attempt=next_attempt, **changes)


def paid_invoice(customer: str = "cus_1", **changes: Any) -> dict[str, Any]:
    paid = {
        "status": "paid",
        "amount_paid": 14_700,
        "amount_remaining": 0,
        "attempt_count": 1,
        "status_transitions": {"paid_at": BEGAN + 60},
    }
    return invoice(customer, **paid | changes)


# --- what came of them ---------------------------------------------------------------------------------------


def one(connection: Connection, table: str, key: str, value: str) -> dict[str, Any]:
    found = connection.execute(f"SELECT * FROM app.{table} WHERE {key} = %s".encode(), [value]).fetchone()
    assert found is not None
    return found


def subscription_row(connection: Connection, customer: str = "cus_1") -> dict[str, Any]:
    return one(connection, "subscriptions", "stripe_subscription_id", f"sub_{customer}")


def invoice_row(connection: Connection, customer: str = "cus_1") -> dict[str, Any]:
    return one(connection, "invoices", "stripe_invoice_id", f"in_{customer}")


def event_row(connection: Connection, payload: ProcessStripeWebhook) -> dict[str, Any]:
    return one(connection, "webhook_events", "event_id", payload.event_id)


def mails(run: Runner) -> list[tuple[str, str]]:
    jobs = run.accepted(JobType.SEND_EMAIL)
    return [(each.payload["template"], each.payload["to"]) for each in jobs]


def verdict(job: Execution) -> tuple[str, str | None]:
    assert (job.status, job.error) == ("completed", None)
    return job.result["status"], job.result["reason"]
