"""process-stripe-webhook: events come twice, late and in any order, and the same rows come of it."""

from __future__ import annotations

import importlib
import itertools
import threading
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import database
from shared.database import Connection
from shared.jobs.process_stripe_webhook import ProcessStripeWebhook
from tests.integration.workers.conftest import Runner
from tests.integration.workers.stripe_events import (
    BEGAN,
    DAY,
    checkout,
    failed_invoice,
    invoice,
    item,
    paid_invoice,
    stripe_event,
    subscription,
)

CREATED, UPDATED, DELETED = (f"customer.subscription.{each}" for each in ("created", "updated", "deleted"))
CHECKOUT = "checkout.session.completed"
SOME_ORDERS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_SUBSCRIPTIONS = b"""
SELECT plan, status, amount, current_period_end, canceled_at, started_at, ended_at, stripe_updated_at
FROM app.subscriptions WHERE organization_id = %s
"""
_INVOICES = b"""
SELECT invoice.status, invoice.amount_paid, invoice.attempt_count, invoice.paid_at, invoice.stripe_updated_at,
    subscription.plan AS of_plan
FROM app.invoices AS invoice
LEFT JOIN app.subscriptions AS subscription ON subscription.id = invoice.subscription_id
WHERE invoice.organization_id = %s
"""
_ORGANIZATION = b"""
WITH organization AS (
    INSERT INTO app.organizations (name, slug) VALUES ('Acme', %s) RETURNING id),
owner AS (
    INSERT INTO app.users (email, name) VALUES (%s, 'Ada') RETURNING id)
INSERT INTO app.memberships (organization_id, user_id, role)
SELECT organization.id, owner.id, 'owner' FROM organization, owner
RETURNING organization_id
"""


@pytest.fixture
def handler(environment: pytest.MonkeyPatch) -> Any:
    return importlib.import_module("functions.process_stripe_webhook.handler").handler


class Customer:
    """Somebody new, who buys for an organization that has not bought before."""

    def __init__(self, connection: Connection) -> None:
        self.name = f"cus_{uuid.uuid4().hex}"
        slug = self.name.replace("_", "-")
        row = connection.execute(_ORGANIZATION, [slug, f"{slug}@example.com"]).fetchone()
        assert row is not None
        self.organization_id: int = row["organization_id"]

    def buys(self) -> list[ProcessStripeWebhook]:
        """Three events of the first minute."""
        return [
            stripe_event(CHECKOUT, checkout(self.name, self.organization_id), created=BEGAN + 2),
            stripe_event(UPDATED, subscription(self.name), created=BEGAN + 1),
            stripe_event("invoice.paid", paid_invoice(self.name), created=BEGAN + 1),
        ]

    def stays_a_while(self) -> list[ProcessStripeWebhook]:
        """Bought, changed in the same second and again, not paid, paid, left."""
        larger = {"items": {"data": [item(9_900)]}}
        smaller = {"items": {"data": [item(900)]}}
        left = {"status": "canceled", "canceled_at": BEGAN + DAY, "ended_at": BEGAN + DAY} | smaller
        return [
            *self.buys(),
            stripe_event(CREATED, subscription(self.name, status="incomplete"), created=BEGAN + 1),
            stripe_event(
                UPDATED,
                subscription(self.name, status="past_due"),
                created=BEGAN + 1,
                event_id=f"evt_past_due_{self.name}",
            ),
            stripe_event(UPDATED, subscription(self.name, **larger), created=BEGAN + 5),
            stripe_event(
                UPDATED,
                subscription(self.name, **smaller),
                created=BEGAN + 5,
                event_id=f"evt_smaller_{self.name}",
            ),
            stripe_event("invoice.finalized", invoice(self.name), created=BEGAN + 1),
            stripe_event("invoice.payment_failed", failed_invoice(self.name), created=BEGAN + 1),
            stripe_event(DELETED, subscription(self.name, **left), created=BEGAN + DAY),
        ]


class Stripe:
    """Sends a customer's events, and lets every job run that comes of them."""

    def __init__(self, run: Runner, handler: Any, connection: Connection) -> None:
        self._run, self._handler, self._connection = run, handler, connection

    def rows_after(self, customer: Customer, events: list[ProcessStripeWebhook]) -> list[Any]:
        for each in events:
            assert self._run(self._handler, each).status == "completed"
            self._drain()
        return [
            self._connection.execute(statement, [customer.organization_id]).fetchall()
            for statement in (_SUBSCRIPTIONS, _INVOICES)
        ]

    def _drain(self) -> None:
        """One job's end may set off the next."""
        while waiting := self._waiting():
            for job_id in waiting:
                assert self._run.deliver(self._handler, job_id) == 200

    def _waiting(self) -> list[uuid.UUID]:
        rows = self._connection.execute(
            "SELECT job_id FROM job_executions WHERE job_type = 'process-stripe-webhook' AND status = 'pending'"
        )
        return [each["job_id"] for each in rows]

    def mails_to(self, customer: Customer) -> list[str]:
        rows = self._connection.execute(
            "SELECT payload ->> 'template' AS template FROM job_executions "
            "WHERE job_type = 'send-email' AND organization_id = %s",
            [customer.organization_id],
        )
        return [each["template"] for each in rows]

    def events_left(self) -> int:
        row = self._connection.execute(
            "SELECT count(*) AS left FROM app.webhook_events "
            "WHERE source = 'stripe' AND (status = 'queued' OR error LIKE 'no organization%' OR error LIKE '%not known%')"
        ).fetchone()
        return -1 if row is None else row["left"]


@pytest.fixture
def stripe(run: Runner, handler: Any, connection: Connection) -> Stripe:
    connection.execute("DELETE FROM app.webhook_events")
    return Stripe(run, handler, connection)


def test_a_purchase_comes_to_the_same_in_all_six_orders(stripe: Stripe, connection: Connection) -> None:
    outcomes = []
    for order in itertools.permutations(range(3)):
        customer = Customer(connection)
        events = customer.buys()
        outcomes.append(stripe.rows_after(customer, [events[each] for each in order]))
        assert stripe.mails_to(customer) == ["subscriptionCreated"], order
    assert all(each == outcomes[0] for each in outcomes)
    ((bought,), (bill,)) = outcomes[0]
    assert (bought["status"], bill["status"], bill["of_plan"]) == ("active", "paid", "Team")
    assert stripe.events_left() == 0


@SOME_ORDERS
@given(data=st.data())
def test_any_order_with_any_repetition_comes_to_the_same(
    stripe: Stripe, connection: Connection, data: st.DataObject
) -> None:
    """Of whatever has happened so far."""
    first, second = Customer(connection), Customer(connection)
    every = range(len(first.stays_a_while()))
    happened = data.draw(st.lists(st.sampled_from(every), min_size=2, unique=True), label="happened")
    again = data.draw(st.lists(st.sampled_from(happened), max_size=3), label="again")
    order = data.draw(st.permutations([*happened, *again]), label="order")
    expected, sent = first.stays_a_while(), second.stays_a_while()
    rows = stripe.rows_after(first, [expected[each] for each in sorted(happened)])
    assert stripe.rows_after(second, [sent[each] for each in order]) == rows
    told = stripe.mails_to(second)
    assert all(told.count(each) <= 1 for each in told)


def test_it_all_comes_to_its_end(stripe: Stripe, connection: Connection) -> None:
    customer = Customer(connection)
    (left,), (bill,) = stripe.rows_after(customer, customer.stays_a_while()[::-1])
    assert (left["status"], left["amount"], bill["status"]) == ("canceled", 2_700, "paid")
    assert stripe.events_left() == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_a_change_in_the_second_of_the_creation_counts(
    stripe: Stripe, connection: Connection, order: tuple[int, ...]
) -> None:
    customer = Customer(connection)
    smaller = {"items": {"data": [item(900)]}}
    events = [
        stripe_event(CHECKOUT, checkout(customer.name, customer.organization_id)),
        stripe_event(CREATED, subscription(customer.name)),
        stripe_event(UPDATED, subscription(customer.name, **smaller)),
    ]
    (row,), _invoices = stripe.rows_after(customer, [events[each] for each in order])
    assert row["amount"] == 2_700


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_of_two_changes_in_a_second_the_one_further_along_counts(
    stripe: Stripe, connection: Connection, order: tuple[int, ...]
) -> None:
    customer = Customer(connection)
    unpaid = subscription(customer.name, status="past_due")
    events = [
        stripe_event(CHECKOUT, checkout(customer.name, customer.organization_id)),
        stripe_event(UPDATED, subscription(customer.name)),
        stripe_event(UPDATED, unpaid, event_id=f"evt_past_due_{customer.name}"),
    ]
    (row,), _invoices = stripe.rows_after(customer, [events[each] for each in order])
    assert row["status"] == "past_due"


def test_an_invoice_waits_for_its_subscription(stripe: Stripe, run: Runner, connection: Connection) -> None:
    customer = Customer(connection)
    bought, begun, paid = customer.buys()
    assert stripe.rows_after(customer, [bought, paid]) == [[], []]
    waiting = connection.execute(
        "SELECT status, error FROM app.webhook_events WHERE event_id = %s", [paid.event_id]
    ).fetchone()
    assert waiting == {
        "status": "ignored",
        "error": f"the subscription sub_{customer.name} is not known yet",
    }
    assert [len(rows) for rows in stripe.rows_after(customer, [begun])] == [1, 1]


def test_what_waited_for_its_customer_is_applied_though_the_application_says_whose_it_is(
    stripe: Stripe, connection: Connection
) -> None:
    customer = Customer(connection)
    began = stripe_event(CREATED, subscription(customer.name))
    stripe.rows_after(customer, [stripe_event("invoice.paid", paid_invoice(customer.name)), began])
    connection.execute(
        "UPDATE app.organizations SET stripe_customer_id = %s WHERE id = %s",
        [customer.name, customer.organization_id],
    )
    another = stripe_event("invoice.finalized", invoice(customer.name), created=BEGAN - 1)
    subscriptions, invoices = stripe.rows_after(customer, [another])
    assert [row["status"] for row in subscriptions] == ["active"]
    assert [(row["status"], row["of_plan"]) for row in invoices] == [("paid", "Team")]


def test_metadata_on_the_subscription_does_without_a_checkout(stripe: Stripe, connection: Connection) -> None:
    customer = Customer(connection)
    named = subscription(customer.name, metadata={"organization_id": str(customer.organization_id)})
    events = [
        stripe_event("invoice.paid", paid_invoice(customer.name), created=BEGAN + 1),
        stripe_event(CREATED, named),
    ]
    assert [len(rows) for rows in stripe.rows_after(customer, events)] == [1, 1]


def test_a_checkout_and_its_subscription_at_the_same_time(
    stripe: Stripe, handler: Any, run: Runner, connection: Connection
) -> None:
    """Neither sees what the other has not committed: the customer's lock has one wait for the other."""
    for _time in range(5):
        customer = Customer(connection)
        events = customer.buys()
        threads = [threading.Thread(target=_run_once, args=(run, handler, each)) for each in events]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert [len(rows) for rows in stripe.rows_after(customer, events)] == [1, 1]
        assert stripe.events_left() == 0


def _run_once(run: Runner, handler: Any, event: ProcessStripeWebhook) -> None:
    """In a thread, whose connections end with it."""
    try:
        run(handler, event)
    finally:
        database.discard()
