"""The payload of `send-email`: one mail to one person, its template and that template's data checked together."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    EmailStr,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.emails.data import (
    EmailChangeData,
    EmailData,
    EmailTemplate,
    PasswordChangedData,
    PasswordResetData,
    PaymentFailedData,
    SubscriptionCreatedData,
    TeamInvitationData,
    WelcomeData,
)
from shared.envelope import Payload
from shared.registry import JobType

__all__ = [
    "EmailChangeData",
    "EmailData",
    "EmailTemplate",
    "PasswordChangedData",
    "PasswordResetData",
    "PaymentFailedData",
    "SendEmail",
    "SubscriptionCreatedData",
    "TeamInvitationData",
    "WelcomeData",
]


class _Labelled(NamedTuple):
    """Data on its way into the union, with the template that says which model must read it."""

    template: EmailTemplate
    data: object


def _template_of(value: _Labelled | EmailData) -> EmailTemplate:
    return value.template


def _unlabelled(value: object) -> object:
    return value.data if isinstance(value, _Labelled) else value


def _read_as_template_says(
    value: object, read_union: ValidatorFunctionWrapHandler, fields: ValidationInfo
) -> object:
    """Validate the data as the payload's template says, natively: tolerance for unknown fields reaches it.

    pydantic puts a union's label into the path of its errors (`data.welcome.name`); callers know no such field.
    """
    template = fields.data.get("template")
    if template is None:
        return value  # the template itself is wrong, and that is the error to report
    try:
        return read_union(_Labelled(template, value))
    except ValidationError as error:
        raise ValidationError.from_exception_data(error.title, _without_label(error)) from None


def _without_label(error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=PydanticCustomError(each["type"], "{message}", {"message": each["msg"]}),
            loc=each["loc"][1:],
            input=each["input"],
        )
        for each in error.errors()
    ]


_Untag = BeforeValidator(_unlabelled)
AnyEmailData = Annotated[
    Annotated[WelcomeData, _Untag, Tag(EmailTemplate.WELCOME)]
    | Annotated[PasswordResetData, _Untag, Tag(EmailTemplate.PASSWORD_RESET)]
    | Annotated[PasswordChangedData, _Untag, Tag(EmailTemplate.PASSWORD_CHANGED)]
    | Annotated[EmailChangeData, _Untag, Tag(EmailTemplate.EMAIL_CHANGE)]
    | Annotated[TeamInvitationData, _Untag, Tag(EmailTemplate.TEAM_INVITATION)]
    | Annotated[SubscriptionCreatedData, _Untag, Tag(EmailTemplate.SUBSCRIPTION_CREATED)]
    | Annotated[PaymentFailedData, _Untag, Tag(EmailTemplate.PAYMENT_FAILED)],
    Discriminator(_template_of),
    WrapValidator(_read_as_template_says),
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
