"""The payload of `process-stripe-webhook`: one event of Stripe, its signature already verified."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, IPvAnyAddress, StringConstraints

from shared.envelope import Payload
from shared.registry import JobType

CHECKOUT = "checkout.session.completed"
# Of one object's events in the same second the later one here counts.
SUBSCRIPTION_EVENTS = (
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
)
INVOICE_EVENTS = (
    "invoice.finalized",
    "invoice.payment_failed",
    "invoice.marked_uncollectible",
    "invoice.voided",
    "invoice.paid",
)
HANDLED = frozenset({CHECKOUT, *SUBSCRIPTION_EVENTS, *INVOICE_EVENTS})
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]


class ProcessStripeWebhook(Payload, type=JobType.PROCESS_STRIPE_WEBHOOK):
    """One event: Stripe's `type`, `id` and `created` (Unix seconds), and its `data.object`.

    `ip_address` is where it came from. Raises InvalidJob where one of them is missing or none of Stripe's.

        ProcessStripeWebhook(
            event_type=event["type"], event_id=event["id"], created=event["created"], event_data=event["data"]["object"]
        )
    """

    event_type: Name
    event_id: Name
    created: int = Field(ge=0, lt=2**33, strict=True)
    event_data: dict[str, Any] = Field(repr=False)
    ip_address: IPvAnyAddress | None = None

    @property
    def occurred_at(self) -> datetime:
        """When the event was created at Stripe."""
        return datetime.fromtimestamp(self.created, UTC)
