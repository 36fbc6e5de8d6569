"""What each mail needs to know: one model per template, camelCase on the wire like every payload."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.emails.wording import NOT_IN_ONE_LINE
from shared.envelope import WireModel
from shared.redaction import Sensitive

_NOT_IN_A_URL = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


def _one_line(value: str) -> str:
    """The text, which has no line break or other control character."""
    if NOT_IN_ONE_LINE.search(value):
        raise PydanticCustomError("one_line", "Input should be one line without control characters")
    return value


def _lines(value: str) -> str:
    """The text's lines but blank ones, which would end a paragraph; it has no other control character."""
    return "\n".join(_one_line(line.strip()) for line in value.split("\n") if line.strip(" \n"))


def _absolute_url(value: str) -> str:
    """The URL as a browser would read it: absolute, percent-encoded, in ASCII."""
    if _NOT_IN_A_URL.search(value):
        raise PydanticCustomError("url_space", "Input should be a URL without spaces or control characters")
    return str(HttpUrl(value))


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_one_line)
]
Paragraph = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), AfterValidator(_lines)
]
Url = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_absolute_url)]
TokenUrl = Annotated[Url, Field(repr=False), Sensitive()]  # opens an account: not in logs, shown to nobody
DownloadUrl = Annotated[  # presigned by S3: with a Lambda's credentials in it some 2,000 characters long
    str, StringConstraints(max_length=4096), AfterValidator(_absolute_url), Field(repr=False), Sensitive()
]
Count = Annotated[int, Field(ge=0, le=2**53, strict=True)]
MinorUnits = Annotated[int, Field(ge=0, le=10**12, strict=True)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True)]
LastFour = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]


class EmailTemplate(StrEnum):
    """Every mail there is."""

    WELCOME = "welcome"
    PASSWORD_RESET = "passwordReset"  # noqa: S105  # a template's name
    PASSWORD_CHANGED = "passwordChanged"  # noqa: S105
    EMAIL_CHANGE = "emailChange"
    TEAM_INVITATION = "teamInvitation"
    SUBSCRIPTION_CREATED = "subscriptionCreated"
    PAYMENT_FAILED = "paymentFailed"
    EXPORT_READY = "exportReady"
    REPORT_READY = "reportReady"
    LEAD_MATCHES = "leadMatches"
    APPLICATION_REMINDER = "applicationReminder"
    NOTIFICATION = "notification"


class EmailData(WireModel):
    """Base of every template's data; the class decides the template.

    Names and other texts are one line of at most 100 characters, URLs absolute (http or https) and at most 2048
    characters long (4096 where they download a file), dates aware of their time zone, amounts whole numbers of the currency's smallest unit.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    template: ClassVar[EmailTemplate]


class WelcomeData(EmailData):
    """Greets someone who has just signed up. Without `get_started_url` the button opens APP_URL."""

    template = EmailTemplate.WELCOME

    name: Text
    get_started_url: Url | None = None


class PasswordResetData(EmailData):
    """Lets someone choose a new password through `reset_url`, until `expires_at`.

    `requested_from` says where the request came from, in words a person understands: "Chrome on macOS, Berlin".
    """

    template = EmailTemplate.PASSWORD_RESET

    name: Text
    reset_url: TokenUrl
    expires_at: AwareDatetime
    requested_from: Text | None = None


class PasswordChangedData(EmailData):
    """Tells the owner that the password was changed, and how to act (`reset_url`) if it was someone else."""

    template = EmailTemplate.PASSWORD_CHANGED

    name: Text
    changed_at: AwareDatetime
    reset_url: TokenUrl
    changed_from: Text | None = None


class EmailChangeData(EmailData):
    """Asks the owner of `new_email` (the address this mail goes to) to confirm it, until `expires_at`."""

    template = EmailTemplate.EMAIL_CHANGE

    name: Text
    old_email: EmailStr
    new_email: EmailStr
    confirm_url: TokenUrl
    expires_at: AwareDatetime


class TeamInvitationData(EmailData):
    """Invites someone, who may have no account yet, to a team, until `expires_at`."""

    template = EmailTemplate.TEAM_INVITATION

    inviter_name: Text
    inviter_email: EmailStr
    team_name: Text
    accept_url: TokenUrl
    expires_at: AwareDatetime
    role: Text | None = None


class SubscriptionCreatedData(EmailData):
    """Confirms a new subscription: `amount` (in minor units: 2900 is 29.00 USD) every `interval`.

    `renews_at` is when the next charge is due; with `trial_ends_at` nothing was charged yet.
    """

    template = EmailTemplate.SUBSCRIPTION_CREATED

    name: Text
    plan_name: Text
    amount: MinorUnits
    currency: Currency
    interval: Literal["month", "year"]
    renews_at: AwareDatetime
    billing_url: Url
    trial_ends_at: AwareDatetime | None = None
    invoice_url: Url | None = None


class PaymentFailedData(EmailData):
    """Asks for another means of payment after a charge of `amount` (in minor units) failed.

    `next_attempt_at` is when it is tried again, `access_ends_at` when the subscription ends if that fails too.
    """

    template = EmailTemplate.PAYMENT_FAILED

    name: Text
    plan_name: Text
    amount: MinorUnits
    currency: Currency
    update_payment_url: TokenUrl
    failed_at: AwareDatetime
    card_brand: Text | None = None
    card_last_four: LastFour | None = None
    reason: Text | None = None
    next_attempt_at: AwareDatetime | None = None
    access_ends_at: AwareDatetime | None = None


class ExportReadyData(EmailData):
    """Hands out an export of `rows` rows (`what` of: "Activity log") in a file of `size` bytes, until `expires_at`."""

    template = EmailTemplate.EXPORT_READY

    name: Text
    what: Text
    rows: Count
    size: Count
    download_url: DownloadUrl
    expires_at: AwareDatetime


class ReportReadyData(EmailData):
    """Hands out a report on a `period` ("April 2026") until `expires_at`, with up to five sentences of what it says."""

    template = EmailTemplate.REPORT_READY

    name: Text
    title: Text
    period: Text
    download_url: DownloadUrl
    expires_at: AwareDatetime
    highlights: list[Text] = Field(default=[], max_length=5)


class LeadMatch(WireModel):
    """One lead that fits a listing: how well, from 0 to 100, and why in a few words."""

    model_config = ConfigDict(hide_input_in_errors=True)

    lead_name: Text
    score: int = Field(ge=0, le=100, strict=True)
    reason: Text


class LeadMatchesData(EmailData):
    """Shows an agent which leads fit a listing: the best one to ten of `total`, the best first."""

    template = EmailTemplate.LEAD_MATCHES

    name: Text
    listing_title: Text
    listing_url: Url
    matches: list[LeadMatch] = Field(min_length=1, max_length=10)
    total: Count


class ApplicationReminderData(EmailData):
    """Reminds an applicant of what is missing from an application, which may end at `expires_at`.

    Without anything in `missing`, it asks to hand the application in.
    """

    template = EmailTemplate.APPLICATION_REMINDER

    name: Text
    listing_title: Text
    missing: list[Text] = Field(max_length=20)
    continue_url: TokenUrl
    expires_at: AwareDatetime | None = None


class NotificationData(EmailData):
    """Tells something in words of the caller's own: one to twenty paragraphs, of at most 2,000 characters each.

    A paragraph may hold line breaks. A button takes both `action_label` and `action_url`.
    """

    template = EmailTemplate.NOTIFICATION

    title: Text
    paragraphs: list[Paragraph] = Field(min_length=1, max_length=20)
    action_label: Text | None = None
    action_url: Url | None = None

    @model_validator(mode="after")
    def _a_button_has_both(self) -> Self:
        """Neither a button that leads nowhere nor one without a word."""
        if (self.action_label is None) != (self.action_url is None):
            raise PydanticCustomError("half_a_button", "actionLabel and actionUrl go together")
        return self
