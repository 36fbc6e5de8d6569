"""Whose a customer of Stripe is, and the events that wait until that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from functions.process_stripe_webhook.stripe_objects import Checkout
from shared.database import Connection
from shared.jobs.process_stripe_webhook import ProcessStripeWebhook
from shared.webhook_events import Ignored, Processed

_SQL = Path(__file__).parent / "sql"
_LOCK = (_SQL / "lock_customer.sql").read_bytes()
_FIND = (_SQL / "find_organization.sql").read_bytes()
_LINK = (_SQL / "link_customer.sql").read_bytes()
_RELEASE = (_SQL / "release_events.sql").read_bytes()


@dataclass(frozen=True, slots=True)
class Owner:
    """The organization that a customer is; `released` are the events that waited for it to be known."""

    organization_id: int
    released: Sequence[ProcessStripeWebhook] = ()


def apply_checkout(connection: Connection, checkout: Checkout) -> Processed | Ignored:
    """Note which organization a new customer is. The subscription itself comes with its own events."""
    if checkout.mode != "subscription" or checkout.customer is None:
        return Ignored("the checkout began no subscription")
    owner = find_owner(connection, checkout.customer, checkout.organization)
    return Ignored(is_unknown(checkout.customer)) if owner is None else Processed(then=owner.released)


def find_owner(connection: Connection, customer: str | None, named: int | None) -> Owner | None:
    """The organization that has this customer, else the one named if it has none yet: from now on this one.

    Locks the customer until the transaction ends: of two events of one customer, the second sees what the first did.
    """
    if customer is None:
        return None
    connection.execute(_LOCK, {"customer": customer})
    found = connection.execute(_FIND, {"customer": customer}).fetchone()
    if found is not None:
        # Some may have waited: the application may say whose it is later than Stripe tells of it.
        return Owner(found["id"], release(connection, is_unknown(customer)))
    linked = connection.execute(_LINK, {"customer": customer, "organization_id": named}).rowcount == 1
    if not linked or named is None:
        return None
    return Owner(named, release(connection, is_unknown(customer)))


def is_unknown(customer: str | None) -> str:
    """Why an event of this customer waits."""
    return "it has no customer" if customer is None else f"no organization has the customer {customer}"


def release(connection: Connection, reason: str) -> list[ProcessStripeWebhook]:
    """The events that were ignored for this reason, to be applied after all."""
    rows = connection.execute(_RELEASE, {"reason": reason}).fetchall()
    return [ProcessStripeWebhook(**row) for row in rows]
