"""The payload of `send-notification`: one notice to one person, its template and that template's data checked together.

An adverse action's data holds what the US Fair Credit Reporting Act, section 615(a), wants told and no template can
know: without any part of it there is no job.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.emails.data import Paragraph, Text, TokenUrl, Url
from shared.envelope import Payload, WireModel
from shared.labelled import UNLABEL, label_of, labelled_by
from shared.registry import JobType

_TOLL_FREE = re.compile(r"1?8(00|33|44|55|66|77|88)[2-9]\d{6}")


class NotificationType(StrEnum):
    """Why somebody is told: by law, to remind, or to confirm. Only the last two can be muted."""

    ADVERSE_ACTION = "adverse_action"
    REMINDER = "reminder"
    CONFIRMATION = "confirmation"


class NotificationTemplate(StrEnum):
    """Every notice there is; its words are in functions/send_notification/templates."""

    ADVERSE_ACTION = "adverseAction"
    APPLICATION_REMINDER = "applicationReminder"
    APPLICATION_RECEIVED = "applicationReceived"

    @property
    def type(self) -> NotificationType:
        """Why somebody is told this."""
        return _TYPE_OF[self]


_TYPE_OF = {
    NotificationTemplate.ADVERSE_ACTION: NotificationType.ADVERSE_ACTION,
    NotificationTemplate.APPLICATION_REMINDER: NotificationType.REMINDER,
    NotificationTemplate.APPLICATION_RECEIVED: NotificationType.CONFIRMATION,
}


def _toll_free(value: str) -> str:
    if not _TOLL_FREE.fullmatch(re.sub(r"[^\d]", "", value)):
        raise PydanticCustomError("toll_free", "Input should be a toll-free number: 800-555-0199")
    return value


class TemplateData(WireModel):
    """Base of every notice's data; the class decides the template."""

    model_config = ConfigDict(hide_input_in_errors=True)

    template: ClassVar[NotificationTemplate]


class ConsumerReportingAgency(WireModel):
    """Who made the consumer report, as the applicant can reach it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: Text
    address: Annotated[Paragraph, Field(max_length=300)]
    toll_free_phone: Annotated[Text, AfterValidator(_toll_free)]


class CreditScore(WireModel):
    """The credit score that was used: what it was and could be, when, whose, and the one to five factors that hurt it most."""

    model_config = ConfigDict(hide_input_in_errors=True)

    score: int = Field(ge=0, le=9999, strict=True, repr=False)
    lowest: int = Field(ge=0, le=9999, strict=True)
    highest: int = Field(ge=0, le=9999, strict=True)
    scored_on: date
    source: Text
    key_factors: list[Text] = Field(min_length=1, max_length=5, repr=False)

    @model_validator(mode="after")
    def _lies_in_its_range(self) -> Self:
        if not self.lowest <= self.score <= self.highest:
            raise PydanticCustomError("score_range", "score should lie between lowest and highest")
        return self


class AdverseAction(TemplateData):
    """A decision against an applicant that a consumer report had part in.

    `action` says what was done, in a sentence or two. `credit_score` must be given, as None where none was used.
    """

    template = NotificationTemplate.ADVERSE_ACTION

    action: Annotated[Paragraph, Field(max_length=500, repr=False)]
    decided_on: date
    agency: ConsumerReportingAgency
    credit_score: CreditScore | None = Field(repr=False)


class ApplicationReminder(TemplateData):
    """What is missing from an application, which ends at `expires_at`."""

    template = NotificationTemplate.APPLICATION_REMINDER

    listing_title: Text
    missing: list[Text] = Field(max_length=20)
    continue_url: TokenUrl
    expires_at: AwareDatetime | None = None


class ApplicationReceived(TemplateData):
    """Confirms that an application was handed in."""

    template = NotificationTemplate.APPLICATION_RECEIVED

    listing_title: Text
    received_at: AwareDatetime
    application_url: Url


AnyTemplateData = Annotated[
    Annotated[AdverseAction, UNLABEL, Tag(NotificationTemplate.ADVERSE_ACTION)]
    | Annotated[ApplicationReminder, UNLABEL, Tag(NotificationTemplate.APPLICATION_REMINDER)]
    | Annotated[ApplicationReceived, UNLABEL, Tag(NotificationTemplate.APPLICATION_RECEIVED)],
    Discriminator(label_of),
    labelled_by("template_id"),
]


class SendNotification(Payload, type=JobType.SEND_NOTIFICATION):
    """One notice to one person, a user of the job's organization.

    Type and template follow from typed data; data given as a dict needs both beside it. Raises InvalidJob, which names
    every field that is wrong or missing.

        SendNotification(recipient_id=7, template_data=ApplicationReceived(listing_title=…, …))
        SendNotification(type="confirmation", recipient_id=7, template_id="applicationReceived", template_data={…})
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    # Both required. The defaults, which nothing matches, tell type checkers that typed data may stand alone.
    type: NotificationType = Field(default=None, validate_default=True)
    template_id: NotificationTemplate = Field(default=None, validate_default=True)
    recipient_id: PositiveInt
    template_data: AnyTemplateData

    @model_validator(mode="before")
    @classmethod
    def _typed_data_names_its_template(cls, fields: Any) -> Any:
        """Fill in type and template where the caller left them to the data."""
        data = fields.get("template_data", fields.get("templateData")) if isinstance(fields, dict) else None
        if not isinstance(data, TemplateData) or fields.keys() & {"template_id", "templateId"}:
            return fields
        return {"type": data.template.type} | fields | {"template_id": data.template}

    @field_validator("template_id")
    @classmethod
    def _is_of_the_type(cls, template: NotificationTemplate, fields: ValidationInfo) -> NotificationTemplate:
        asked = fields.data.get("type")
        if asked is not None and template.type != asked:
            fitting = ", ".join(repr(each.value) for each in NotificationTemplate if each.type == asked)
            raise PydanticCustomError(
                "template_type", "Input should be {fitting} for the type given", {"fitting": fitting}
            )
        return template
