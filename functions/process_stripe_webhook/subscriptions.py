"""app.subscriptions: each as Stripe last said."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from functions.process_stripe_webhook import customers
from functions.process_stripe_webhook.stripe_objects import Subscription
from shared.database import Connection
from shared.webhook_events import Ignored, Processed

_SQL = Path(__file__).parent / "sql"
_FIND = (_SQL / "find_subscription.sql").read_bytes()
_WRITE = (_SQL / "write_subscription.sql").read_bytes()

OVERTAKEN = "a newer event, or this state, was applied before"
ANOTHERS = "it belongs to another organization than its customer"
# As far along as it gets.
_STATUSES = [
    "incomplete", "trialing", "active", "past_due", "unpaid", "paused", "incomplete_expired", "canceled"
]  # fmt: skip
_YOUNG = timedelta(days=1)  # the first payment may take 23 hours, then Stripe gives it up


def apply_subscription(
    connection: Connection, subscription: Subscription, at: datetime
) -> Processed | Ignored:
    """Write the subscription as of this event, with the invoices that waited for it and the mail about a new one."""
    owner = customers.find_owner(connection, subscription.customer, subscription.organization)
    if owner is None:
        return Ignored(customers.is_unknown(subscription.customer))
    before = find(connection, subscription.id)
    if before is not None and before["organization_id"] != owner.organization_id:
        return Ignored(ANOTHERS, then=owner.released)
    row = subscription.row(at) | {"organization_id": owner.organization_id, "at": at, "statuses": _STATUSES}
    if connection.execute(_WRITE, row).rowcount == 0:
        return Ignored(OVERTAKEN, then=owner.released)
    released = customers.release(connection, is_unknown(subscription.id)) if before is None else []
    return Processed(then=[*owner.released, *released, *_mails(connection, subscription, row, before)])


def find(connection: Connection, stripe_subscription_id: str) -> dict[str, Any] | None:
    """The row as it stands."""
    return connection.execute(_FIND, {"stripe_subscription_id": stripe_subscription_id}).fetchone()


def is_unknown(stripe_subscription_id: str) -> str:
    """Why an invoice of this subscription waits."""
    return f"the subscription {stripe_subscription_id} is not known yet"


def _mails(
    connection: Connection, subscription: Subscription, row: dict[str, Any], before: dict[str, Any] | None
) -> list[Any]:
    """That it has begun: once, with whichever event shows that first. An old one that is new to us is no news."""
    has_begun = subscription.status in {"active", "trialing"}
    is_news = before is None or before["status"] == "incomplete"
    if not (has_begun and is_news and row["at"] - row["started_at"] < _YOUNG):
        return []
    from functions.process_stripe_webhook.mails import subscription_created  # noqa: PLC0415  # few events tell

    return subscription_created(connection, row)
