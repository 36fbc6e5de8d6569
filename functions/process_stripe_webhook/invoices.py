"""app.invoices: each as Stripe last said."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from functions.process_stripe_webhook import customers, subscriptions
from functions.process_stripe_webhook.stripe_objects import Invoice
from functions.process_stripe_webhook.subscriptions import ANOTHERS, OVERTAKEN
from shared.database import Connection
from shared.webhook_events import Ignored, Processed

_SQL = Path(__file__).parent / "sql"
_FIND = (_SQL / "find_invoice.sql").read_bytes()
_WRITE = (_SQL / "write_invoice.sql").read_bytes()
_STATUSES = ["draft", "open", "uncollectible", "void", "paid"]  # as far along as it gets


def apply_invoice(
    connection: Connection, invoice: Invoice, at: datetime, event_type: str
) -> Processed | Ignored:
    """Write the invoice as of this event, with the mail about a payment that failed.

    An invoice of a subscription waits for the subscription's own event.
    """
    owner = customers.find_owner(connection, invoice.customer, invoice.organization)
    if owner is None:
        return Ignored(customers.is_unknown(invoice.customer))
    subscription = None
    if invoice.stripe_subscription_id is not None:
        subscription = subscriptions.find(connection, invoice.stripe_subscription_id)
        if subscription is None:
            return Ignored(subscriptions.is_unknown(invoice.stripe_subscription_id), then=owner.released)
    known = [subscription, connection.execute(_FIND, {"stripe_invoice_id": invoice.id}).fetchone()]
    if any(row is not None and row["organization_id"] != owner.organization_id for row in known):
        return Ignored(ANOTHERS, then=owner.released)
    if connection.execute(_WRITE, _row(invoice, owner.organization_id, subscription, at)).rowcount == 0:
        return Ignored(OVERTAKEN, then=owner.released)
    if event_type != "invoice.payment_failed" or invoice.status != "open":
        return Processed(then=owner.released)
    from functions.process_stripe_webhook.mails import payment_failed  # noqa: PLC0415  # few events tell

    plan = subscription["plan"] if subscription else None
    return Processed(
        then=[*owner.released, *payment_failed(connection, invoice, owner.organization_id, plan, at)]
    )


def _row(
    invoice: Invoice, organization_id: int, subscription: dict[str, Any] | None, at: datetime
) -> dict[str, Any]:
    return invoice.row(at) | {
        "organization_id": organization_id,
        "subscription_id": subscription["id"] if subscription else None,
        "at": at,
        "statuses": _STATUSES,
    }
