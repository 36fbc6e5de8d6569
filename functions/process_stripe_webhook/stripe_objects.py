"""Stripe's objects, as far as they are used, in the shapes of API versions before and since 2025-03-31.

That version moved a subscription's period to its items, and an invoice's subscription to its parent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


def _id_of(value: Any) -> Any:
    """An object's id, also where Stripe was asked to send the object whole."""
    return value.get("id") if isinstance(value, dict) else value


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _upper(text: str) -> str:
    return text.upper()


Id = Annotated[str, BeforeValidator(_id_of), Field(min_length=1, max_length=255)]
Seconds = Annotated[int, Field(ge=0, lt=2**33)]
Currency = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$"), AfterValidator(_upper)]
Cents = Annotated[int, Field(ge=0, lt=2**63)]


# Where Stripe's unit is not ISO 4217's smallest: it keeps the hundredths that these two have given up, and counts
# ariary whole.
_PER_UNIT_OF_STRIPE = {"ISK": Decimal("0.01"), "UGX": Decimal("0.01"), "MGA": Decimal(100)}


def minor_units(amount: int, currency: str) -> int:
    """An amount of Stripe's in its currency's smallest unit.

    >>> minor_units(500, "USD"), minor_units(500, "JPY"), minor_units(500, "ISK")
    (500, 500, 5)
    """
    return int((amount * _PER_UNIT_OF_STRIPE.get(currency, Decimal(1))).quantize(Decimal(1), ROUND_HALF_UP))


class StripeObject(BaseModel):
    """Base of all: what is not used is not read."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Metadata(StripeObject):
    """What this application has written onto an object: the organization it is for, the plan's name."""

    organization_id: str | None = None
    plan: str | None = None

    @property
    def organization(self) -> int | None:
        """The organization, if that is an id."""
        return _organization(self.organization_id)


def _organization(text: str | None) -> int | None:
    is_id = text is not None and text.isascii() and text.isdecimal() and len(text) < 19
    return int(text) if is_id and text is not None else None


class Checkout(StripeObject):
    """A Checkout session. Its customer is None where a payment needed none."""

    id: Id
    mode: str
    customer: Id | None = None
    client_reference_id: str | None = None
    metadata: Metadata | None = None

    @property
    def organization(self) -> int | None:
        """The organization that it says it is for."""
        return _organization(self.client_reference_id) or (
            self.metadata.organization if self.metadata else None
        )


class Recurring(StripeObject):
    """How often a price is due."""

    interval: Literal["day", "week", "month", "year"]
    interval_count: int = Field(1, ge=1)


class Price(StripeObject):
    """What one unit costs: in cents, in fractions of them, or by tiers, which have no single price."""

    id: Id
    nickname: str | None = None
    lookup_key: str | None = None
    currency: Currency
    unit_amount: Cents | None = None
    unit_amount_decimal: Annotated[Decimal, Field(ge=0)] | None = None
    recurring: Recurring

    def times(self, quantity: int) -> int:
        """Cents for so many units, rounded half up as Stripe does; by tiers 0."""
        each = self.unit_amount if self.unit_amount is not None else self.unit_amount_decimal
        return int((Decimal(each or 0) * quantity).quantize(Decimal(1), ROUND_HALF_UP))


class Item(StripeObject):
    """One price of a subscription; no quantity where it is metered, and billed afterwards."""

    price: Price
    quantity: int = Field(0, ge=0)
    current_period_start: Seconds | None = None
    current_period_end: Seconds | None = None


class Items(StripeObject):
    """A list, as Stripe wraps it."""

    data: list[Item] = Field(min_length=1)


class Subscription(StripeObject):
    """What a customer pays for, and how that stands."""

    id: Id
    customer: Id
    status: Literal[
        "incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused"
    ]
    created: Seconds
    items: Items
    metadata: Metadata | None = None
    start_date: Seconds | None = None
    current_period_start: Seconds | None = None
    current_period_end: Seconds | None = None
    trial_end: Seconds | None = None
    cancel_at: Seconds | None = None
    cancel_at_period_end: bool = False
    canceled_at: Seconds | None = None
    ended_at: Seconds | None = None

    @model_validator(mode="after")
    def _has_a_period(self) -> Self:
        if None in self._period:
            raise PydanticCustomError("no_period", "neither it nor its first item has a current period")
        return self

    @property
    def organization(self) -> int | None:
        """The organization that it says it is for."""
        return self.metadata.organization if self.metadata else None

    @property
    def plan(self) -> str:
        """The plan's name: from its metadata, else its first price's nickname, key or id."""
        price = self.items.data[0].price
        return (self.metadata and self.metadata.plan) or price.nickname or price.lookup_key or price.id

    @property
    def _period(self) -> tuple[int | None, int | None]:
        item = self.items.data[0]
        start, end = self.current_period_start, self.current_period_end
        return (
            item.current_period_start if start is None else start,
            item.current_period_end if end is None else end,
        )

    def row(self, at: datetime) -> dict[str, Any]:
        """Its columns in app.subscriptions, as of an event."""
        start, end = self._period
        recurring, currency = self.items.data[0].price.recurring, self.items.data[0].price.currency
        amount = sum(item.price.times(item.quantity) for item in self.items.data)
        is_over = self.status in {"canceled", "incomplete_expired"}
        return {
            "stripe_subscription_id": self.id,
            "plan": self.plan,
            "status": self.status,
            "amount": minor_units(amount, currency),
            "currency": currency,
            "billing_interval": recurring.interval,
            "interval_count": recurring.interval_count,
            "current_period_start": _moment(start or 0),
            "current_period_end": _moment(end or 0),
            "trial_ends_at": _moment(self.trial_end) if self.trial_end else None,
            "cancel_at_period_end": self.cancel_at_period_end or self.cancel_at == end,
            "canceled_at": _moment(self.canceled_at) if self.canceled_at else at if is_over else None,
            "started_at": _moment(self.start_date or self.created),
            "ended_at": (_moment(self.ended_at) if self.ended_at else at) if is_over else None,
        }


class SubscriptionDetails(StripeObject):
    """The subscription that an invoice is of, with its metadata at the time."""

    subscription: Id | None = None
    metadata: Metadata | None = None


class Parent(StripeObject):
    """What an invoice came from, since 2025-03-31."""

    subscription_details: SubscriptionDetails | None = None


class StatusTransitions(StripeObject):
    """When an invoice changed its status."""

    paid_at: Seconds | None = None


class Invoice(StripeObject):
    """What a customer was billed. The customer is None where it is another account of the same platform."""

    id: Id
    customer: Id | None
    status: Literal["draft", "open", "paid", "void", "uncollectible"]
    created: Seconds
    currency: Currency
    number: str | None = None
    amount_due: Cents
    amount_paid: Cents = 0
    amount_remaining: Cents | None = None
    attempt_count: int = Field(0, ge=0)
    due_date: Seconds | None = None
    next_payment_attempt: Seconds | None = None
    hosted_invoice_url: str | None = None
    status_transitions: StatusTransitions = StatusTransitions()
    subscription: Id | None = None
    subscription_details: SubscriptionDetails | None = None
    parent: Parent | None = None

    @property
    def stripe_subscription_id(self) -> str | None:
        """The subscription that it is of."""
        details = self.parent.subscription_details if self.parent else None
        return (details.subscription if details else None) or self.subscription

    @property
    def owed(self) -> int:
        """What is still to be paid, in the currency's smallest unit."""
        remaining = self.amount_due if self.amount_remaining is None else self.amount_remaining
        return minor_units(remaining, self.currency)

    @property
    def next_attempt_at(self) -> datetime | None:
        """When Stripe tries again to have it paid."""
        return _moment(self.next_payment_attempt) if self.next_payment_attempt else None

    @property
    def organization(self) -> int | None:
        """The organization that its subscription says it is for."""
        details = (self.parent and self.parent.subscription_details) or self.subscription_details
        return details.metadata.organization if details and details.metadata else None

    def row(self, at: datetime) -> dict[str, Any]:
        """Its columns in app.invoices, as of an event."""
        paid_at = self.status_transitions.paid_at
        return {
            "stripe_invoice_id": self.id,
            "number": self.number,
            "status": self.status,
            "amount_due": minor_units(self.amount_due, self.currency),
            "amount_paid": minor_units(self.amount_paid, self.currency),
            "currency": self.currency,
            "hosted_invoice_url": self.hosted_invoice_url,
            "attempt_count": self.attempt_count,
            "due_at": _moment(self.due_date) if self.due_date else None,
            "paid_at": (_moment(paid_at) if paid_at else at) if self.status == "paid" else None,
            "created_at": _moment(self.created),
        }
