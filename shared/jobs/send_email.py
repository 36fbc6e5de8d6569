"""The payload of `send-email`: one mail to one person, its template and that template's data checked together."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, EmailStr, Field, Tag, model_validator

from shared.emails.data import (
    ApplicationReminderData,
    EmailChangeData,
    EmailData,
    EmailTemplate,
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
from shared.envelope import Payload
from shared.labelled import UNLABEL, label_of, labelled_by
from shared.registry import JobType

__all__ = [
    "ApplicationReminderData",
    "EmailChangeData",
    "EmailData",
    "EmailTemplate",
    "ExportReadyData",
    "LeadMatchesData",
    "NotificationData",
    "PasswordChangedData",
    "PasswordResetData",
    "PaymentFailedData",
    "ReportReadyData",
    "SendEmail",
    "SubscriptionCreatedData",
    "TeamInvitationData",
    "WelcomeData",
]


AnyEmailData = Annotated[
    Annotated[WelcomeData, UNLABEL, Tag(EmailTemplate.WELCOME)]
    | Annotated[PasswordResetData, UNLABEL, Tag(EmailTemplate.PASSWORD_RESET)]
    | Annotated[PasswordChangedData, UNLABEL, Tag(EmailTemplate.PASSWORD_CHANGED)]
    | Annotated[EmailChangeData, UNLABEL, Tag(EmailTemplate.EMAIL_CHANGE)]
    | Annotated[TeamInvitationData, UNLABEL, Tag(EmailTemplate.TEAM_INVITATION)]
    | Annotated[SubscriptionCreatedData, UNLABEL, Tag(EmailTemplate.SUBSCRIPTION_CREATED)]
    | Annotated[PaymentFailedData, UNLABEL, Tag(EmailTemplate.PAYMENT_FAILED)]
    | Annotated[ExportReadyData, UNLABEL, Tag(EmailTemplate.EXPORT_READY)]
    | Annotated[ReportReadyData, UNLABEL, Tag(EmailTemplate.REPORT_READY)]
    | Annotated[LeadMatchesData, UNLABEL, Tag(EmailTemplate.LEAD_MATCHES)]
    | Annotated[ApplicationReminderData, UNLABEL, Tag(EmailTemplate.APPLICATION_REMINDER)]
    | Annotated[NotificationData, UNLABEL, Tag(EmailTemplate.NOTIFICATION)],
    Discriminator(label_of),
    labelled_by("template"),
]


class SendEmail(Payload, type=JobType.SEND_EMAIL):
    """One mail to one person.

    The template follows from typed data; data given as a dict needs it beside it. Raises InvalidJob where an
    address, the template or a field of its data is wrong.

        SendEmail(to="ada@example.com", data=WelcomeData(name="Ada"))
        SendEmail(to="ada@example.com", template="welcome", data={"name": "Ada"})
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    to: EmailStr
    # Required. The default, which no template matches, tells type checkers that typed data may stand alone.
    template: EmailTemplate = Field(default=None, validate_default=True)
    data: AnyEmailData
    reply_to: EmailStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _typed_data_names_its_template(cls, fields: Any) -> Any:
        """Fill in the template where the caller left it to the data."""
        if (
            isinstance(fields, dict)
            and "template" not in fields
            and isinstance(fields.get("data"), EmailData)
        ):
            return fields | {"template": fields["data"].template}
        return fields
