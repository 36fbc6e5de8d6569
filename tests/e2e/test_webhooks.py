"""Events as Stripe, Resend and GitHub send them, over HTTP to the receiver, until their jobs have applied them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import boto3
import httpx
import psycopg
import pytest

from infra.local.aws import REGION
from infra.local.cloud import LocalCloud
from infra.webhooks import LOCAL_SECRETS, Request, custom_events, github_events, local_senders, resend_events
from infra.webhooks.__main__ import main as send_from_the_command_line
from infra.webhooks.stripe_events import BEFORE_BASIL, SINCE_BASIL, Purchase
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.jobs.send_email import SendEmail, WelcomeData
from shared.rows import Execution
from tests.e2e.conftest import wait_for, wait_until_ended

pytestmark = pytest.mark.usefixtures("producer")


def post(cloud: LocalCloud, request: Request) -> httpx.Response:
    return httpx.post(
        cloud.webhooks_url + request.path, headers=request.headers, content=request.body, timeout=30
    )


def applied(cloud: LocalCloud, connection: Connection, request: Request, event_id: str) -> Execution:
    """The job of an event that was sent and taken, once it has ended."""
    answer = post(cloud, request)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    return wait_until_ended(job_of(connection, event_id), 60)


def job_of(connection: Connection, event_id: str) -> UUID:
    row = connection.execute(
        "SELECT job_id FROM app.webhook_events WHERE event_id = %s", [event_id]
    ).fetchone()
    assert row is not None
    job_id: UUID = row["job_id"]
    return job_id


def new_organization(connection: Connection, owner: str, **columns: Any) -> int:
    user = one(
        connection, "INSERT INTO app.users (email, name) VALUES (%s, 'Mary Shelley') RETURNING id", owner
    )
    organization: int = one(
        connection,
        "INSERT INTO app.organizations (name, slug, github_account_id) VALUES ('Agency', %s, %s) RETURNING id",
        owner.partition("@")[0],
        columns.get("github_account_id"),
    )
    connection.execute(
        "INSERT INTO app.memberships (organization_id, user_id, role) VALUES (%s, %s, 'owner')",
        [organization, user],
    )
    return organization


def one(connection: Connection, query: str, *values: object) -> Any:
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else next(iter(row.values()))


@pytest.mark.parametrize("version", [BEFORE_BASIL, SINCE_BASIL])
def test_a_checkout_becomes_a_subscription_and_a_mail(
    cloud: LocalCloud, connection: Connection, version: str
) -> None:
    """Also with the first event after the second, as it happens."""
    owner = f"buyer-{version.replace('.', '-')}@example.com"
    purchase = Purchase(new_organization(connection, owner), version)
    events = [
        purchase.event(kind) for kind in ("checkout.session.completed", "invoice.paid", "customer.subscription.created")
    ]  # fmt: skip
    for event in reversed(events):
        job = applied(cloud, connection, local_senders.stripe(event), event["id"])
        assert (job.job_type, job.status) == ("process-stripe-webhook", "completed")
    found = "SELECT status FROM app.subscriptions WHERE stripe_subscription_id = %s AND organization_id = %s"
    assert one(connection, found, purchase.subscription, purchase.organization_id) == "active"
    paid = "SELECT status FROM app.invoices WHERE stripe_invoice_id = %s"
    assert one(connection, paid, purchase.invoice) == "paid"
    wait_for("the mail", lambda: [mail for mail in cloud.mailbox.mails if mail.to == [owner]])


def test_a_push_becomes_activity_of_the_accounts_organization(
    cloud: LocalCloud, connection: Connection
) -> None:
    organization = new_organization(connection, "octo@example.com", github_account_id=77)
    request = local_senders.github("push", github_events.event(account_id=77), delivery="e2e-push", form=True)
    assert applied(cloud, connection, request, "e2e-push").result["status"] == "processed"
    found = "SELECT organization_id FROM app.activity_logs WHERE external_id = 'e2e-push' AND action = 'github.push'"
    assert one(connection, found) == organization


def test_a_push_of_an_account_that_is_no_organizations_is_ignored(
    cloud: LocalCloud, connection: Connection
) -> None:
    request = local_senders.github("push", github_events.event(account_id=78), delivery="e2e-nobodys")
    result = applied(cloud, connection, request, "e2e-nobodys").result
    assert result["status"] == "ignored"
    assert result["reason"] == "no organization is the GitHub account acme (id 78)"


def test_a_bounce_stops_the_next_mail_to_its_address(cloud: LocalCloud, connection: Connection) -> None:
    address = "bounces@example.com"
    bounce = resend_events.event("email.bounced", to=address)
    applied(cloud, connection, local_senders.resend(bounce, message_id="e2e-bounce"), "e2e-bounce")
    job = wait_until_ended(enqueue(SendEmail(to=address, data=WelcomeData(name="Nobody"))))
    assert job.status == "cancelled"
    assert not [mail for mail in cloud.mailbox.mails if mail.to == [address]]


def test_a_custom_senders_event_reaches_its_handler(cloud: LocalCloud, connection: Connection) -> None:
    new_organization(connection, "books@example.com")
    _set_secret(cloud, CUSTOM_WEBHOOKS=_with_organization(connection))
    cloud.recycle()
    request = local_senders.accounting(custom_events.invoice_imported("E-1"), message_id="e2e-invoice")
    assert applied(cloud, connection, request, "e2e-invoice").result["status"] == "processed"
    assert one(connection, "SELECT source FROM app.activity_logs WHERE subject_id = 'E-1'") == "accounting"


def _with_organization(connection: Connection) -> dict[str, Any]:
    """The local senders, whose events are this organization's; as JSON in the secret, and not as text."""
    organization = one(connection, "SELECT max(id) FROM app.organizations")
    senders = json.loads(LOCAL_SECRETS["CUSTOM_WEBHOOKS"])
    return {name: sender | {"organization_id": organization} for name, sender in senders.items()}


def _set_secret(cloud: LocalCloud, **entries: Any) -> None:
    client = boto3.client(
        "secretsmanager",
        endpoint_url=cloud.aws.url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    client.put_secret_value(
        SecretId=f"{cloud.stack}-WebhooksSecret", SecretString=json.dumps(LOCAL_SECRETS | entries)
    )


@pytest.mark.parametrize(
    ("arguments", "event_type"),
    [
        (["stripe", "--type", "invoice.payment_failed"], "invoice.payment_failed"),
        (["stripe"], "checkout.session.completed"),
        (["resend", "--type", "email.delivered", "--to", "zoe@example.com"], "email.delivered"),
        (["github"], "push"),
        (["custom"], "invoice.imported"),
        (["custom", "--type", "scanner"], "document.scanned"),
    ],
)
def test_an_event_sent_by_hand(
    cloud: LocalCloud, connection: Connection, arguments: list[str], event_type: str
) -> None:
    before = one(connection, "SELECT coalesce(max(id), 0) FROM app.webhook_events")
    assert send_from_the_command_line([*arguments, "--url", cloud.webhooks_url + "/"]) == 0
    found = "SELECT event_type FROM app.webhook_events WHERE id > %s"
    assert one(connection, found, before) == event_type


def test_what_is_sent_by_hand_with_another_key_is_refused(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send_from_the_command_line(["stripe", "--url", cloud.webhooks_url, "--secret", "whsec_no"]) == 1
    assert "401" in capsys.readouterr().out
    assert send_from_the_command_line(["github", "--url", "http://127.0.0.1:9"]) == 1
    assert "nobody answers" in capsys.readouterr().err
    assert send_from_the_command_line(["github", "--type", "pusch"]) == 1
    assert "there are push, pull_request" in capsys.readouterr().err


def test_what_came_while_postgres_restarted_comes_again(cloud: LocalCloud, connection: Connection) -> None:
    """The receiver answers 503, and the sender does what senders do."""
    assert cloud.postgres is not None
    request = local_senders.github("push", github_events.event(account_id=79), delivery="e2e-restart")
    cloud.postgres.stop(immediate=True)
    assert post(cloud, request).status_code == 503
    cloud.postgres.start()
    with psycopg.connect(cloud.database_url, autocommit=True, row_factory=psycopg.rows.dict_row) as again:
        assert applied(cloud, again, request, "e2e-restart").status == "completed"
