"""Which event is applied how, and in which order events count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from functions.process_stripe_webhook import customers, invoices, subscriptions
from functions.process_stripe_webhook.stripe_objects import Checkout, Invoice, StripeObject, Subscription
from shared.database import Connection
from shared.envelope import problems
from shared.jobs.process_stripe_webhook import (
    CHECKOUT,
    INVOICE_EVENTS,
    SUBSCRIPTION_EVENTS,
    ProcessStripeWebhook,
)
from shared.webhook_events import Ignored, InvalidEvent, Processed

Read = TypeVar("Read", bound=StripeObject)


def apply_event(connection: Connection, event: ProcessStripeWebhook) -> Processed | Ignored:
    """Bring up to date what the event is about. Raises InvalidEvent where it is not shaped as Stripe's are."""
    if event.event_type == CHECKOUT:
        return customers.apply_checkout(connection, _read(Checkout, event))
    if event.event_type in SUBSCRIPTION_EVENTS:
        at = _place(event, SUBSCRIPTION_EVENTS)
        return subscriptions.apply_subscription(connection, _read(Subscription, event), at)
    if event.event_type in INVOICE_EVENTS:
        at = _place(event, INVOICE_EVENTS)
        return invoices.apply_invoice(connection, _read(Invoice, event), at, event.event_type)
    return Ignored(f"{event.event_type} changes no subscription and no invoice")


def _place(event: ProcessStripeWebhook, order: Sequence[str]) -> datetime:
    """The event's second, and its type's place therein as microseconds: Stripe creates several events in one second."""
    return event.occurred_at + timedelta(microseconds=order.index(event.event_type))


def _read(model: type[Read], event: ProcessStripeWebhook) -> Read:
    try:
        return model.model_validate(event.event_data)
    except ValidationError as error:
        words = "; ".join(f"{field}: {what}" for field, what in problems(error))
        raise InvalidEvent(f"Stripe sends {event.event_type} otherwise: {words}") from None
