"""`enqueue_*`: one function per mail that sends it as a job, with every option that `enqueue` has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack
from uuid import UUID

from shared.dispatcher import enqueue
from shared.emails.data import (
    ApplicationReminderData,
    EmailChangeData,
    EmailData,
    ExportReadyData,
    LeadMatchesData,
    NotificationData,
    PasswordChangedData,
    PasswordResetData,
    PaymentFailedData,
    ReportReadyData,
    SubscriptionCreatedData,
    TeamInvitationData,
    WelcomeData,
)
from shared.jobs.send_email import SendEmail

if TYPE_CHECKING:
    from psycopg import Connection

    AnyConnection = Connection[Any]  # psycopg itself comes with the dispatcher

Data = TypeVar("Data", bound=EmailData)


class EnqueueOptions(TypedDict, total=False):
    """What `enqueue` takes beside the payload; it says what each option means."""

    user_id: int | None
    organization_id: int | None
    idempotency_key: str | None
    delay: float | timedelta | None
    not_before: datetime | None
    retries: int | None
    headers: Mapping[str, str] | None
    callback: str | None
    failure_callback: str | None
    connection: AnyConnection | None


@dataclass(frozen=True, slots=True)
class Enqueue(Generic[Data]):
    """Sends one kind of mail as a job; returns the job's id. Raises InvalidJob and whatever `enqueue` raises.

    enqueue_welcome("ada@example.com", WelcomeData(name="Ada"), user_id=7, delay=60)
    """

    kind: type[Data]

    def __call__(
        self, to: str, data: Data, *, reply_to: str | None = None, **options: Unpack[EnqueueOptions]
    ) -> UUID:
        """Enqueue it for one address; data of another kind of mail is refused."""
        email = SendEmail(to=to, template=self.kind.template, data=data, reply_to=reply_to)
        return enqueue(email, **options)


enqueue_welcome = Enqueue(WelcomeData)
enqueue_password_reset = Enqueue(PasswordResetData)
enqueue_password_changed = Enqueue(PasswordChangedData)
enqueue_email_change = Enqueue(EmailChangeData)
enqueue_team_invitation = Enqueue(TeamInvitationData)
enqueue_subscription_created = Enqueue(SubscriptionCreatedData)
enqueue_payment_failed = Enqueue(PaymentFailedData)
enqueue_export_ready = Enqueue(ExportReadyData)
enqueue_report_ready = Enqueue(ReportReadyData)
enqueue_lead_matches = Enqueue(LeadMatchesData)
enqueue_application_reminder = Enqueue(ApplicationReminderData)
enqueue_notification = Enqueue(NotificationData)
