"""What travels: a job's envelope around its payload. camelCase on the wire, snake_case in Python."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared.errors import InvalidJob
from shared.registry import JobType


def new_job_id() -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): ids made later sort later, which keeps the index's writes together."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76  # version 7
    value = value & ~(0x3 << 62) | 0x2 << 62  # the RFC's variant
    return UUID(int=value)


def problems(error: ValidationError) -> list[tuple[str, str]]:
    """A validation error as (dotted field, what is wrong) pairs, without the values: they may be secret."""
    return [
        (".".join(map(str, each["loc"])) or "payload", each["msg"])
        for each in error.errors(include_input=False)
    ]


if TYPE_CHECKING:
    _Model = BaseModel
else:

    class _Constructor(type(BaseModel)):
        """Turns the ValidationError of a model built by hand into the one error that `enqueue` raises."""

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            try:
                return super().__call__(*args, **fields)
            except ValidationError as error:
                raise InvalidJob(cls.__name__, problems(error)) from None

    class _Model(BaseModel, metaclass=_Constructor):
        """BaseModel whose constructor raises InvalidJob; reading (`model_validate…`) raises ValidationError."""


class WireModel(_Model):
    """A model that is camelCase on the wire and immutable; an unknown field is an error unless read tolerantly.

    Constructing one with wrong fields raises InvalidJob, which names them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True, extra="forbid"
    )


class Payload(WireModel):
    """Base of every job's payload; the class decides the job's type.

    Constructing one with wrong fields raises InvalidJob, which names them.

        class SendSms(Payload, type=JobType.SEND_SMS):
            to: E164
            message: Annotated[str, Field(max_length=160)]
    """

    job_type: ClassVar[JobType]

    def __init_subclass__(cls, *, type: JobType | None = None, **kwargs: Any) -> None:  # noqa: A002
        """Record the job type given in the class statement."""
        super().__init_subclass__(**kwargs)
        if type is not None:
            cls.job_type = type


class ScheduleTerms(WireModel):
    """What a schedule asks of each of its runs. It lies within the signed body, unlike QStash's header with the id.

    `overlap` is "skip" where a run must not begin while another is not over; anything else means that it may.
    `publish_options` and `failure_callback` become the row's.
    """

    id: str
    overlap: str | None = None
    publish_options: dict[str, Any] = {}
    failure_callback: str | None = None


class Metadata(WireModel):
    """Who a job belongs to, when it was accepted, and for a schedule's deliveries its terms."""

    user_id: int | None = None
    organization_id: int | None = None
    idempotency_key: str | None = None
    created_at: datetime | None = None
    schedule: ScheduleTerms | None = None


class Envelope(WireModel):
    """One delivery of one job. A schedule's deliveries carry no job id and no publication."""

    job_id: UUID | None = None
    publication: int = 0
    type: str
    payload: dict[str, Any]
    metadata: Metadata = Metadata()

    def to_wire(self) -> bytes:
        """The request body that QStash delivers, byte for byte."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it arrived. `message_id` and `schedule_id` come from unsigned headers and decide nothing signed."""

    envelope: Envelope
    message_id: str | None
    schedule_id: str | None = None

    @property
    def job_id(self) -> UUID:
        """The job's id; a scheduled run's follows from its message, so that its redeliveries meet in one row."""
        return self.envelope.job_id or scheduled_job_id(self.message_id or "")


def scheduled_job_id(message_id: str) -> UUID:
    """The job id of a scheduled run: UUIDv5 of QStash's message id."""
    return uuid5(NAMESPACE_URL, f"qstash:{message_id}")
