"""Stripe's events about one customer's subscription, in the shapes of two API versions."""

from __future__ import annotations

import secrets
import string
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BEFORE_BASIL, SINCE_BASIL = "2024-06-20", "2025-09-30.clover"
"""2025-03-31.basil moved a subscription's period to its items, and an invoice's subscription to its parent."""

_MONTH = 30 * 86_400  # seconds
_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """An id as Stripe makes them."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _each in range(length))


@dataclass(frozen=True, slots=True)
class Purchase:
    """One organization's subscription: all events about it speak of the same objects."""

    organization_id: int = 1
    api_version: str = SINCE_BASIL
    customer: str = field(default_factory=lambda: new_id("cus_", 14))
    subscription: str = field(default_factory=lambda: new_id("sub_1"))
    invoice: str = field(default_factory=lambda: new_id("in_1"))
    amount: int = 14_900  # cents
    began: int = field(default_factory=lambda: int(time.time()))  # Unix seconds

    def event(self, kind: str, *, event_id: str | None = None, created: int | None = None) -> dict[str, Any]:
        """The event of this type. Of types that nothing here makes, one about an object of no further consequence."""
        make = _OBJECTS.get(kind, _something(kind))
        data: dict[str, Any] = {"object": make(self)}
        if kind == "customer.subscription.updated":
            data["previous_attributes"] = {"status": "active"}
        return {
            "id": event_id or new_id("evt_1"),
            "object": "event",
            "api_version": self.api_version,
            "created": created or self.began,
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": new_id("req_", 14), "idempotency_key": str(uuid.uuid4())},
            "type": kind,
        }

    @property
    def since_basil(self) -> bool:
        """Whether objects have the shapes since 2025-03-31."""
        return self.api_version >= "2025-03-31"

    @property
    def period(self) -> dict[str, int]:
        """The month that is paid for."""
        return {"current_period_start": self.began, "current_period_end": self.began + _MONTH}


def event(kind: str, **changes: Any) -> dict[str, Any]:
    """An event of this type, about a purchase of its own."""
    return Purchase(**changes).event(kind)


def _checkout(purchase: Purchase) -> dict[str, Any]:
    return {
        "id": new_id("cs_test_a1", 56),
        "object": "checkout.session",
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": purchase.amount,
        "amount_total": purchase.amount,
        "automatic_tax": {"enabled": False, "liability": None, "status": None},
        "cancel_url": None,
        "client_reference_id": str(purchase.organization_id),
        "created": purchase.began - 120,
        "currency": "usd",
        "custom_fields": [],
        "customer": purchase.customer,
        "customer_creation": "always",
        "customer_details": {
            "email": "owner@example.com",
            "name": "Zoë Müller-Lüdenscheidt 🏠",
            "phone": None,
        },
        "expires_at": purchase.began + 86_280,
        "invoice": purchase.invoice,
        "livemode": False,
        "locale": None,
        "metadata": {},
        "mode": "subscription",
        "payment_method_types": ["card"],
        "payment_status": "paid",
        "status": "complete",
        "subscription": purchase.subscription,
        "success_url": "https://app.example.com/billing?session={CHECKOUT_SESSION_ID}",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "url": None,
    }


def _subscription(purchase: Purchase, **changes: Any) -> dict[str, Any]:
    price = {
        "id": "price_1Team",
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "currency": "usd",
        "lookup_key": "team-monthly",
        "nickname": "Team",
        "recurring": {"interval": "month", "interval_count": 1, "meter": None, "usage_type": "licensed"},
        "type": "recurring",
        "unit_amount": purchase.amount,
        "unit_amount_decimal": str(purchase.amount),
    }
    item = {
        "id": new_id("si_", 14),
        "object": "subscription_item",
        "created": purchase.began,
        "metadata": {},
        "price": price,
        "quantity": 1,
        "subscription": purchase.subscription,
    }
    made = {
        "id": purchase.subscription,
        "object": "subscription",
        "billing_cycle_anchor": purchase.began,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "collection_method": "charge_automatically",
        "created": purchase.began,
        "currency": "usd",
        "customer": purchase.customer,
        "ended_at": None,
        "items": {"object": "list", "data": [item], "has_more": False, "total_count": 1},
        "latest_invoice": purchase.invoice,
        "livemode": False,
        "metadata": {"organization_id": str(purchase.organization_id), "plan": "team"},
        "start_date": purchase.began,
        "status": "active",
        "trial_end": None,
        "trial_start": None,
    }
    if purchase.since_basil:
        item |= purchase.period
    else:
        made |= purchase.period
    return made | changes


def _deleted(purchase: Purchase) -> dict[str, Any]:
    over = purchase.began + 60
    return _subscription(purchase, status="canceled", canceled_at=over, ended_at=over)


def _invoice(purchase: Purchase, status: str = "open", **changes: Any) -> dict[str, Any]:
    is_paid = status == "paid"
    details = {"metadata": {"organization_id": str(purchase.organization_id)}}
    of_subscription = {**details, "subscription": purchase.subscription}
    made = {
        "id": purchase.invoice,
        "object": "invoice",
        "amount_due": purchase.amount,
        "amount_paid": purchase.amount if is_paid else 0,
        "amount_remaining": 0 if is_paid else purchase.amount,
        "attempt_count": 1 if is_paid else 0,
        "attempted": is_paid,
        "billing_reason": "subscription_create",
        "collection_method": "charge_automatically",
        "created": purchase.began,
        "currency": "usd",
        "customer": purchase.customer,
        "customer_email": "owner@example.com",
        "due_date": None,
        "hosted_invoice_url": f"https://invoice.example.com/i/{purchase.invoice}",
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": "A1B2C3D4-0001",
        "status": status,
        "status_transitions": {
            "finalized_at": purchase.began,
            "marked_uncollectible_at": None,
            "paid_at": purchase.began if is_paid else None,
            "voided_at": None,
        },
        "total": purchase.amount,
    }
    if purchase.since_basil:
        made["parent"] = {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": of_subscription,
        }
    else:
        made |= {"subscription": purchase.subscription, "subscription_details": details, "paid": is_paid}
    return made | changes


def _payment_failed(purchase: Purchase) -> dict[str, Any]:
    return _invoice(
        purchase, attempt_count=1, attempted=True, next_payment_attempt=purchase.began + 3 * 86_400
    )


_OBJECTS: dict[str, Callable[[Purchase], dict[str, Any]]] = {
    "checkout.session.completed": _checkout,
    "customer.subscription.created": _subscription,
    "customer.subscription.updated": lambda purchase: _subscription(purchase, status="past_due"),
    "customer.subscription.deleted": _deleted,
    "invoice.finalized": _invoice,
    "invoice.payment_failed": _payment_failed,
    "invoice.paid": lambda purchase: _invoice(purchase, "paid"),
    "invoice.voided": lambda purchase: _invoice(purchase, "void"),
    "invoice.marked_uncollectible": lambda purchase: _invoice(purchase, "uncollectible"),
}
TYPES = tuple(_OBJECTS)


def _something(kind: str) -> Callable[[Purchase], dict[str, Any]]:
    def make(purchase: Purchase) -> dict[str, Any]:
        name = kind.rpartition(".")[0] or kind
        return {
            "id": new_id(f"{name[:3]}_"),
            "object": name,
            "customer": purchase.customer,
            "livemode": False,
        }

    return make
