"""What travels: a job's envelope around its payload. camelCase on the wire, snake_case in Python."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, get_args
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared.errors import InvalidJob
from shared.registry import JobType, is_sensitive


def new_job_id() -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): ids made later sort later, which keeps the index's writes together."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76  # version 7
    value = value & ~(0x3 << 62) | 0x2 << 62  # the RFC's variant
    return UUID(int=value)


def problems(error: ValidationError, model: type[BaseModel] | None = None) -> list[tuple[str, str]]:
    """A validation error as (dotted field, what is wrong) pairs, without the values: they may be secret.

    Of a sensitive job's payload, given as `model`, only the field and the kind of error: a validator's own words, or
    the key of a dictionary within the field, may be a value too.
    """
    found = error.errors(include_input=False)
    if model is not None and is_sensitive(getattr(model, "job_type", None)):
        return [(_declared(model, each["loc"]), f"is not valid ({each['type']})") for each in found]
    return [(".".join(map(str, each["loc"])) or "payload", each["msg"]) for each in found]


def _declared(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """The fields that a path leads through; a name that no model knows is somebody's data, and ends it."""
    models, known = [model], []
    for step in path:
        fields = [
            field
            for each in models
            for name, field in each.model_fields.items()
            if step in {name, field.alias}
        ]
        if not fields:
            break
        known.append(str(step))
        models = [each for field in fields for each in models_in(field.annotation)]
    return ".".join(known) or "payload"


def models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


if TYPE_CHECKING:
    _Model = BaseModel
else:

    class _Constructor(type(BaseModel)):
        """Turns the ValidationError of a model built by hand into the one error that `enqueue` raises."""

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            try:
                return super().__call__(*args, **fields)
            except ValidationError as error:
                found = problems(error, cls)
            raise InvalidJob(cls.__name__, found)  # out here, so that pydantic's error does not hang on it

    class _Model(BaseModel, metaclass=_Constructor):
        """BaseModel whose constructor raises InvalidJob; reading (`model_validate…`) raises ValidationError."""


class WireModel(_Model):
    """A model that is camelCase on the wire and immutable; an unknown field is an error unless read tolerantly.

    Constructing one with wrong fields raises InvalidJob, which names them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
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

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """What `repr` and `str` show: of a sensitive job the names only."""
        if is_sensitive(getattr(self, "job_type", None)):
            return [(name, "…") for name in type(self).model_fields]
        return super().__repr_args__()


class ScheduleTerms(WireModel):
    """What a schedule asks of each of its runs. It lies within the signed body, unlike QStash's header with the id.

    `overlap` is "skip" where a run must not begin while another is not over; anything else means that it may.
    `publish_options` and `failure_callback` become the row's. `payload_id` names the payload where it is kept in
    Postgres and does not travel.
    """

    id: str
    overlap: str | None = None
    publish_options: dict[str, Any] = {}
    failure_callback: str | None = None
    payload_id: UUID | None = None


class Metadata(WireModel):
    """Who a job belongs to, when it was accepted, and for a schedule's deliveries its terms."""

    user_id: int | None = None
    organization_id: int | None = None
    idempotency_key: str | None = None
    created_at: datetime | None = None
    schedule: ScheduleTerms | None = None


class Envelope(WireModel):
    """One delivery of one job. A schedule's deliveries carry no job id and no publication.

    The payload is empty where it travels by reference: the row's runs in any case.
    """

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
