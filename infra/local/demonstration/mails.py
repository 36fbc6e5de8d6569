"""Eight mails: one of each template that an application sends, and one whose first two deliveries fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.local.demonstration.scene import Act, DemoError, Scene, shown
from shared.job_request import JobRequest
from shared.jobs.send_email import (
    EmailChangeData,
    PasswordChangedData,
    PasswordResetData,
    PaymentFailedData,
    SendEmail,
    SubscriptionCreatedData,
    TeamInvitationData,
    WelcomeData,
)
from shared.rows import Execution

_APP = "http://localhost:3000"
_UNLUCKY = "unlucky@example.com"


def mails(scene: Scene) -> list[Act]:
    """What is sent. The mailbox is told to refuse the last one twice."""
    scene.cloud.mailbox.fail_next(2, status=503, to=_UNLUCKY)
    return [_act(title, email) for title, email in _emails().items()]


def _act(title: str, email: SendEmail) -> Act:
    request = JobRequest(email, user_id=1, organization_id=1)
    return Act(title, request, _where_it_lies, attempts=3 if email.to == _UNLUCKY else 1)


def _where_it_lies(scene: Scene, job: Execution) -> str:
    email_id = job.result["emailId"]
    for mail in scene.cloud.mailbox.mails:
        if mail.id == email_id:
            return shown(scene.path_of(mail))
    raise DemoError(f"mail {email_id} is not in the mailbox")


def _emails() -> dict[str, SendEmail]:
    now = datetime.now(UTC)
    data = {
        "welcome": WelcomeData(name="Ada Lovelace", get_started_url=f"{_APP}/start"),
        "passwordReset": PasswordResetData(
            name="Ada Lovelace", reset_url=f"{_APP}/reset?token=demo", expires_at=now + timedelta(hours=1)
        ),
        "passwordChanged": PasswordChangedData(
            name="Ada Lovelace", changed_at=now, reset_url=f"{_APP}/reset?token=demo"
        ),
        "emailChange": EmailChangeData(
            name="Ada Lovelace",
            old_email="ada@example.com",
            new_email="lovelace@example.com",
            confirm_url=f"{_APP}/confirm?token=demo",
            expires_at=now + timedelta(days=1),
        ),
        "teamInvitation": TeamInvitationData(
            inviter_name="Grace Hopper",
            inviter_email="grace@example.com",
            team_name="Compilers",
            accept_url=f"{_APP}/join?token=demo",
            expires_at=now + timedelta(days=7),
        ),
        "subscriptionCreated": SubscriptionCreatedData(
            name="Ada Lovelace",
            plan_name="Team",
            amount=2900,
            currency="EUR",
            interval="month",
            renews_at=now + timedelta(days=30),
            billing_url=f"{_APP}/billing",
        ),
        "paymentFailed": PaymentFailedData(
            name="Ada Lovelace",
            plan_name="Team",
            amount=2900,
            currency="EUR",
            update_payment_url=f"{_APP}/billing/card",
            failed_at=now,
        ),
    }
    emails = {title: SendEmail(to="ada@example.com", data=each) for title, each in data.items()}
    unlucky = SendEmail(to=_UNLUCKY, data=WelcomeData(name="Charles Babbage"))
    return {**emails, "welcome (fails twice)": unlucky}
