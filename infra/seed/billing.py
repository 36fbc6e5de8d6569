"""Subscriptions and invoices as Stripe would have left them: growth, upgrades, and every status there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.seed.tenant import Tenant

_MONTH = timedelta(days=30)
_PRICES = {"starter": 4_900, "team": 14_900, "business": 39_900}  # cents a month; a year costs ten
# By the organization's number, so that the smallest size already has one of each.
_STATUSES = {
    2: "past_due", 5: "trialing", 7: "canceled", 9: "past_due", 11: "unpaid", 13: "incomplete", 15: "paused",
    17: "canceled", 18: "incomplete_expired", 19: "past_due",
}  # fmt: skip
_LAST_INVOICE = {
    "past_due": "open",
    "unpaid": "uncollectible",
    "incomplete": "open",
    "incomplete_expired": "void",
}


@dataclass(frozen=True, slots=True)
class _Term:
    """A subscription from its first day to its last."""

    plan: str
    interval: str
    started_at: datetime
    ended_at: datetime | None
    status: str

    @property
    def amount(self) -> int:
        return _PRICES[self.plan] * (10 if self.interval == "year" else 1)

    @property
    def length(self) -> timedelta:
        return timedelta(days=365) if self.interval == "year" else _MONTH


def add_billing(tenant: Tenant) -> None:
    """The organization's subscriptions, old and current, and their invoices."""
    for term in _terms(tenant):
        tenant.subscription_id = _add_subscription(tenant, term)


def _terms(tenant: Tenant) -> list[_Term]:
    """One, or a smaller one before it that was upgraded."""
    status = _STATUSES.get(tenant.number % 20, "active")
    plan = tenant.dice.choices(list(_PRICES), (5, 4, 2))[0]
    interval = "year" if status == "active" and tenant.chance(0.2) else "month"
    began = _began(tenant, status)
    age = tenant.now - began
    ended = began + age * tenant.dice.uniform(0.4, 0.9) if status == "canceled" else None
    if status == "incomplete_expired":
        ended = began + timedelta(hours=23)
    if status == "active" and plan != "starter" and age > _MONTH * 4:
        upgraded = began + _MONTH * tenant.dice.randint(1, 3)
        return [
            _Term("starter", "month", began, upgraded, "canceled"),
            _Term(plan, interval, upgraded, None, status),
        ]
    return [_Term(plan, interval, began, ended, status)]


def _began(tenant: Tenant, status: str) -> datetime:
    """After a month of trying it out, save for what cannot have lasted long, and what must have lasted a while."""
    if status in {"trialing", "incomplete", "incomplete_expired"}:
        return tenant.ago(days={"trialing": 6, "incomplete": 0.5, "incomplete_expired": 4}[status])
    return min(tenant.founded_at + _MONTH, tenant.ago(days=70 if status in {"canceled", "unpaid"} else 9))


def _add_subscription(tenant: Tenant, term: _Term) -> int:
    until = (term.ended_at or tenant.now).replace(microsecond=0)
    start = _period_start(term, until)
    leaving = term.status == "active" and tenant.number % 20 == 4
    changed = until if term.ended_at else start
    number = tenant.tables.add(
        "subscriptions",
        organization_id=tenant.id,
        stripe_subscription_id=tenant.code("sub_"),
        plan=term.plan,
        status=term.status,
        amount=term.amount,
        currency="USD",
        billing_interval=term.interval,
        interval_count=1,
        current_period_start=start,
        current_period_end=start + term.length,
        trial_ends_at=term.started_at + timedelta(days=14) if term.status == "trialing" else None,
        cancel_at_period_end=leaving,
        canceled_at=until if term.status == "canceled" else start if leaving else None,
        started_at=term.started_at,
        ended_at=until if term.ended_at else None,
        stripe_updated_at=changed,
        created_at=term.started_at,
        updated_at=changed,
    )
    _add_invoices(tenant, term, number, until)
    return number


def _period_start(term: _Term, until: datetime) -> datetime:
    return term.started_at + term.length * (_periods(term, until) - 1)


def _periods(term: _Term, until: datetime) -> int:
    """How many have begun before then."""
    return -((term.started_at - until) // term.length)


def _add_invoices(tenant: Tenant, term: _Term, subscription_id: int, until: datetime) -> None:
    """One a period; the last as the subscription's status has it."""
    if term.status == "trialing":
        return
    periods = _periods(term, until)
    for period in range(periods):
        last = period == periods - 1
        status = _LAST_INVOICE.get(term.status, "paid") if last else "paid"
        _add_invoice(tenant, term, subscription_id, period, status)


def _add_invoice(tenant: Tenant, term: _Term, subscription_id: int, period: int, status: str) -> None:
    at = term.started_at + term.length * period
    paid_at = at + timedelta(hours=1) if status == "paid" else None
    code = tenant.code("in_")
    attempts = 1 if status == "paid" else 4 if status == "uncollectible" else tenant.dice.randint(1, 3)
    tenant.tables.add(
        "invoices",
        organization_id=tenant.id,
        subscription_id=subscription_id,
        stripe_invoice_id=code,
        number=f"{tenant.slug[:6].upper().replace('-', '0')}-{subscription_id:05}-{period + 1:04}",
        status=status,
        amount_due=term.amount,
        amount_paid=term.amount if paid_at else 0,
        currency="USD",
        hosted_invoice_url=f"https://pay.example.com/{code}",
        attempt_count=attempts,
        due_at=at + timedelta(days=7),
        paid_at=paid_at,
        stripe_updated_at=paid_at or at + timedelta(hours=attempts),
        created_at=at,
        updated_at=paid_at or at + timedelta(hours=attempts),
    )
