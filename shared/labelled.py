"""A field whose model another field names: `template` says which model reads `data`.

pydantic's unions carry their label within; here it stands beside. The union is still read natively, so that a worker's
tolerance for unknown fields reaches into it, and errors carry the paths that callers know.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, NamedTuple, Protocol

from pydantic import (
    BeforeValidator,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError


class _Typed(Protocol):
    """Data of a model, which names its template."""

    template: ClassVar[StrEnum]


class _Labelled(NamedTuple):
    """Data on its way into the union, with the label that says which model must read it."""

    template: StrEnum
    data: object


def label_of(value: _Labelled | _Typed) -> StrEnum:
    """The union's discriminator."""
    return value.template


def labelled_by(field: str) -> WrapValidator:
    """Have the union's member read the value whose tag an earlier field of the model holds.

        data: Annotated[
            Annotated[WelcomeData, UNLABEL, Tag("welcome")] | Annotated[ResetData, UNLABEL, Tag("passwordReset")],
            Discriminator(label_of),
            labelled_by("template"),
        ]

    pydantic puts a union's tag into the path of its errors (`data.welcome.name`); callers know no such field.
    """

    def read(value: object, read_union: ValidatorFunctionWrapHandler, fields: ValidationInfo) -> object:
        label = fields.data.get(field)
        if label is None:
            return value  # the label itself is wrong, and that is the error to report
        try:
            return read_union(_Labelled(label, value))
        except ValidationError as error:
            raise ValidationError.from_exception_data(error.title, _without_tag(error)) from None

    return WrapValidator(read)


def _unlabelled(value: object) -> object:
    return value.data if isinstance(value, _Labelled) else value


def _without_tag(error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=PydanticCustomError(each["type"], "{message}", {"message": each["msg"]}),
            loc=each["loc"][1:],
            input=each["input"],
        )
        for each in error.errors()
    ]


UNLABEL = BeforeValidator(_unlabelled)
