"""`send_*`: one function per mail that sends it now and answers when Resend has accepted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import uuid4

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
from shared.emails.sending import SentEmail, send
from shared.jobs.send_email import SendEmail

Data = TypeVar("Data", bound=EmailData)


@dataclass(frozen=True, slots=True)
class Send(Generic[Data]):
    """Sends one kind of mail now.

    With an `idempotency_key` a second call within 24 hours sends nothing and returns the first mail's id.
    Raises InvalidJob, EmailRefused or EmailDeferred.

        send_welcome("ada@example.com", WelcomeData(name="Ada"), idempotency_key="welcome-7")
    """

    kind: type[Data]

    def __call__(
        self, to: str, data: Data, *, reply_to: str | None = None, idempotency_key: str | None = None
    ) -> SentEmail:
        """Send it to one address; data of another kind of mail is refused."""
        email = SendEmail(to=to, template=self.kind.template, data=data, reply_to=reply_to)
        return send(email, idempotency_key=idempotency_key or str(uuid4()))


send_welcome = Send(WelcomeData)
send_password_reset = Send(PasswordResetData)
send_password_changed = Send(PasswordChangedData)
send_email_change = Send(EmailChangeData)
send_team_invitation = Send(TeamInvitationData)
send_subscription_created = Send(SubscriptionCreatedData)
send_payment_failed = Send(PaymentFailedData)
send_export_ready = Send(ExportReadyData)
send_report_ready = Send(ReportReadyData)
send_lead_matches = Send(LeadMatchesData)
send_application_reminder = Send(ApplicationReminderData)
send_notification = Send(NotificationData)
