"""What other systems send to the receiver's URL: a purchase at Stripe, a push at GitHub, a bounce from Resend."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

import httpx

from infra.local.demonstration.scene import Act, DemoError, Received, Scene, require, shown
from infra.webhooks import custom_events, github_events, local_senders, resend_events
from infra.webhooks.stripe_events import Purchase, new_id
from shared import database, executions
from shared.dispatcher import enqueue
from shared.jobs.send_email import SendEmail, WelcomeData
from shared.rows import Execution

_BOUNCING, _BUYER = "gone@example.com", "buyer@example.com"
_NUMBER = "DEMO-2026-17"  # the imported invoice's
_PATIENCE = 30.0  # seconds
# In the order in which they are sent here; any order comes to the same.
_OF_A_PURCHASE = ("checkout.session.completed", "customer.subscription.created", "invoice.paid")


def webhooks(scene: Scene) -> list[Act]:
    """One of each source, and all three events of a purchase."""
    purchase = Purchase(_new_customer(scene))
    return [
        *(_stripe(purchase, kind) for kind in _OF_A_PURCHASE),
        Act("GitHub push", _push(scene), _in_activity_log),
        Act("Resend bounce", _bounce(), _stopped_the_next_mail),
        Act("custom sender: an invoice", _imported(), _invoice_logged),
    ]


def send(scene: Scene, received: Received) -> UUID:
    """Post an event to the receiver; the id of the job that it has enqueued. Raises DemoError if it was not taken."""
    request = received.request
    answer = httpx.post(
        scene.cloud.webhooks_url + request.path, headers=request.headers, content=request.body, timeout=30
    )
    require(answer.is_success, f"{request.path} was answered {answer.status_code} {answer.text}")
    (row,) = scene.rows("SELECT job_id FROM app.webhook_events WHERE event_id = %s", received.event_id)
    job_id: UUID = row["job_id"]
    return job_id


# --- what comes in ------------------------------------------------------------------------------------------


def _new_customer(scene: Scene) -> int:
    """An agency that has not bought anything yet, and its owner; the agency's id."""
    (row,) = scene.rows(
        "WITH buyer AS (INSERT INTO app.users (email, name) VALUES (%s, 'Mary Shelley') RETURNING id),"
        " agency AS (INSERT INTO app.organizations (name, slug) VALUES ('Villa Diodati', 'villa-diodati') RETURNING id),"
        " owner AS (INSERT INTO app.memberships (organization_id, user_id, role)"
        " SELECT agency.id, buyer.id, 'owner' FROM agency, buyer)"
        " SELECT id FROM agency",
        _BUYER,
    )
    organization_id: int = row["id"]
    return organization_id


def _stripe(purchase: Purchase, kind: str) -> Act:
    event = purchase.event(kind)
    received = Received(local_senders.stripe(event), event["id"])
    made: dict[str, Callable[[Scene, Execution], str]] = {
        "checkout.session.completed": lambda scene, _job: _customer_linked(scene, purchase),
        "customer.subscription.created": lambda scene, _job: _subscribed(scene, purchase),
        "invoice.paid": lambda scene, _job: _paid(scene, purchase),
    }
    return Act(f"Stripe {kind}", received, made[kind])


def _push(scene: Scene) -> Received:
    (row,) = scene.rows(
        "SELECT github_account_id FROM app.organizations WHERE id = %s", scene.seeded.organization_id
    )
    event = github_events.event("push", account_id=row["github_account_id"])
    delivery = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    return Received(local_senders.github("push", event, delivery=delivery), delivery)


def _bounce() -> Received:
    message_id = new_id("msg_")
    event = resend_events.event("email.bounced", to=_BOUNCING)
    return Received(local_senders.resend(event, message_id=message_id), message_id)


def _imported() -> Received:
    message_id = new_id("msg_")
    event = custom_events.invoice_imported(_NUMBER)
    return Received(local_senders.accounting(event, message_id=message_id), message_id)


# --- what was made ------------------------------------------------------------------------------------------


def _customer_linked(scene: Scene, purchase: Purchase) -> str:
    found = scene.rows(
        "SELECT name FROM app.organizations WHERE stripe_customer_id = %s AND id = %s",
        purchase.customer,
        purchase.organization_id,
    )
    require(found, "the customer is nobody's")
    return f"app.organizations: {found[0]['name']} is {purchase.customer}"


def _subscribed(scene: Scene, purchase: Purchase) -> str:
    found = scene.rows(
        "SELECT plan, status FROM app.subscriptions WHERE stripe_subscription_id = %s AND organization_id = %s",
        purchase.subscription,
        purchase.organization_id,
    )
    require(found and found[0]["status"] == "active", "the subscription is not there, or not active")
    mails = scene.mails_to(_BUYER)
    require(len(mails) == 1, f"{len(mails)} mails to {_BUYER} about the subscription, not one")
    return f"app.subscriptions: {found[0]['plan']} is active; {shown(scene.path_of(mails[0]))}"


def _paid(scene: Scene, purchase: Purchase) -> str:
    found = scene.rows("SELECT status FROM app.invoices WHERE stripe_invoice_id = %s", purchase.invoice)
    require(found and found[0]["status"] == "paid", "the invoice is not there, or not paid")
    return f"app.invoices: {purchase.invoice} is paid"


def _in_activity_log(scene: Scene, job: Execution) -> str:
    found = scene.rows(
        "SELECT action, subject_id FROM app.activity_logs WHERE external_id = %s AND organization_id = %s",
        job.payload["eventId"],
        scene.seeded.organization_id,
    )
    require(found, "the push is not in the activity log")
    return f"app.activity_logs: {found[0]['action']} {found[0]['subject_id']}"


def _stopped_the_next_mail(scene: Scene, _job: Execution) -> str:
    found = scene.rows("SELECT reason FROM app.email_suppressions WHERE email = %s", _BOUNCING)
    require(found, f"{_BOUNCING} may still be mailed")
    mail = _end_of(enqueue(SendEmail(to=_BOUNCING, data=WelcomeData(name="Nobody"))))
    require(mail.status == "cancelled", f"the next mail to {_BOUNCING} was {mail.status}")
    require(not scene.mails_to(_BOUNCING), f"{_BOUNCING} was mailed after its bounce")
    return f"app.email_suppressions: {_BOUNCING}, {found[0]['reason']}; the next mail to it was {mail.status}: {mail.error}"


def _invoice_logged(scene: Scene, _job: Execution) -> str:
    found = scene.rows(
        "SELECT subject_id FROM app.activity_logs WHERE source = 'accounting' AND action = 'invoice.imported'"
        " AND subject_id = %s AND organization_id = %s",
        _NUMBER,
        scene.seeded.organization_id,
    )
    require(len(found) == 1, "the invoice is not in the activity log")
    return f"app.activity_logs: invoice.imported {found[0]['subject_id']}"


def _end_of(job_id: UUID) -> Execution:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        job = database.run(lambda connection: executions.find(connection, job_id))
        if job is not None and job.completed_at is not None:
            return job
        time.sleep(0.05)
    raise DemoError(f"job {job_id} did not end within {_PATIENCE:.0f} s")
