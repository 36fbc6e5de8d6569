"""The mails about money: they go to the organization's owners."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from functions.process_stripe_webhook.stripe_objects import Invoice
from shared.database import Connection
from shared.dispatcher import JobRequest
from shared.emails.data import EmailData, PaymentFailedData, SubscriptionCreatedData
from shared.emails.wording import fit
from shared.errors import InvalidJob
from shared.jobs.send_email import SendEmail
from shared.observability import logger
from shared.settings import AppSettings

_LIST_OWNERS = (Path(__file__).parent / "sql" / "list_owners.sql").read_bytes()


def subscription_created(connection: Connection, row: dict[str, Any]) -> list[JobRequest]:
    """That a subscription has begun; the mail knows one that renews each month or each year, and tells of no other."""
    if row["billing_interval"] not in {"month", "year"} or row["interval_count"] != 1:
        return []

    def data(name: str) -> EmailData:
        return SubscriptionCreatedData(
            name=name,
            plan_name=fit(row["plan"]),
            amount=row["amount"],
            currency=row["currency"],
            interval=row["billing_interval"],
            renews_at=row["current_period_end"],
            billing_url=_billing_url(),
            trial_ends_at=row["trial_ends_at"] if row["status"] == "trialing" else None,
        )

    return _to_owners(connection, row["organization_id"], data)


def payment_failed(
    connection: Connection, invoice: Invoice, organization_id: int, plan: str | None, at: datetime
) -> list[JobRequest]:
    """That an invoice's payment failed, and where it can be paid."""

    def data(name: str) -> EmailData:
        return PaymentFailedData(
            name=name,
            plan_name=fit(plan or invoice.number or invoice.id),
            amount=invoice.owed,
            currency=invoice.currency,
            update_payment_url=invoice.hosted_invoice_url or _billing_url(),
            failed_at=at,
            next_attempt_at=invoice.next_attempt_at,
        )

    return _to_owners(connection, organization_id, data)


def _to_owners(
    connection: Connection, organization_id: int, data: Callable[[str], EmailData]
) -> list[JobRequest]:
    """A mail to each. What cannot be mailed is no reason to lose track of the money: it is logged."""
    mails = []
    for owner in connection.execute(_LIST_OWNERS, {"organization_id": organization_id}):
        try:
            mail = SendEmail(to=owner["email"], data=data(fit(owner["name"])))
        except InvalidJob as error:
            logger.warning(
                "an owner cannot be told by mail", extra={"user_id": owner["id"], "reason": str(error)}
            )
            continue
        mails.append(JobRequest(mail, user_id=owner["id"], organization_id=organization_id))
    return mails


def _billing_url() -> str:
    return f"{AppSettings.load().app_url}/billing"
