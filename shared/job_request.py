"""A job as a caller asks for it: checked whole before anything is written, and turned into the row to be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import psycopg
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticSerializationError

from shared import lineage, publishing, sealing
from shared.envelope import Envelope, Payload, new_job_id, problems
from shared.errors import InvalidJob
from shared.registry import JobConfig, JobType, get_job_config, is_sensitive
from shared.rows import NewJob, StoredPayload
from shared.settings import DispatcherSettings, PayloadKeySettings, check

# All in bytes, as JSON. A payload larger than a message stays in Postgres, and only the job's id travels. Checking one
# takes up to 15 times its size, and a Lambda has 512 MB. Postgres reads one call's jobs as one JSON value: 256 MB.
LARGEST_MESSAGE = 512 * 1024
LARGEST_PAYLOAD = 16 * 1024 * 1024
LARGEST_INSERT = 128 * 1024 * 1024
LONGEST_DELAY = timedelta(days=3650)
MOST_RETRIES = 50
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}")
_CALLBACK = re.compile(r"(?=.{1,2048}$)https?://[A-Za-z0-9\[][!-~]*")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # escaped by JSON, and not by the text itself
_RESERVED = re.compile(r"(?i)upstash-.*|content-type|content-length|host")


def _delay(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= LONGEST_DELAY:
        raise ValueError(f"must be 0 to {LONGEST_DELAY.total_seconds():.0f} seconds (ten years)")
    return value


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be set: use a plain name that is neither Upstash-… nor Content-…"
            )
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the value of {name!r} must be printable ASCII of at most 4096 characters")
    return headers


def _not_before(value: datetime) -> datetime | None:
    try:
        ahead = value - datetime.now(UTC)
    except OverflowError:
        ahead = timedelta.max if value.year > 5000 else timedelta.min
    if ahead > LONGEST_DELAY:
        raise ValueError("must be at most ten years ahead")
    return value if ahead > timedelta(0) else None  # long since due


def _callback(value: str) -> str:
    if not _CALLBACK.fullmatch(value):
        raise ValueError("must be an absolute http(s) URL of at most 2048 ASCII characters")
    return value


Callback = Annotated[str, AfterValidator(_callback)]


class JobOptions(BaseModel):
    """The keyword arguments of `enqueue`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: int | None = Field(None, ge=1, lt=2**63)
    organization_id: int | None = Field(None, ge=1, lt=2**63)
    idempotency_key: str | None = Field(None, min_length=1, max_length=255, pattern=r"^[^\x00]*$")
    delay: Annotated[timedelta, AfterValidator(_delay)] | None = None
    not_before: Annotated[AwareDatetime, AfterValidator(_not_before)] | None = None
    retries: int | None = Field(None, ge=0, le=MOST_RETRIES)
    headers: Annotated[dict[str, str], AfterValidator(_headers)] | None = None
    callback: Callback | None = None
    failure_callback: Callback | None = None

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if {"delay", "not_before"} <= self.model_fields_set:
            raise ValueError("give delay or not_before, not both")
        return self

    @classmethod
    def check(cls, subject: str, **options: Any) -> Self:
        """These options, if they are all right. Raises InvalidJob, which names every one that is not."""
        try:
            return cls.model_validate({name: value for name, value in options.items() if value is not None})
        except ValidationError as error:
            raise InvalidJob(subject, problems(error)) from None


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One job of `enqueue_many`: its payload and what `enqueue` takes besides.

    JobRequest(SendSms(to="+12025551234", message="Your code is 123456"), user_id=7, delay=60)
    """

    payload: Payload
    user_id: int | None = None
    organization_id: int | None = None
    idempotency_key: str | None = None
    delay: float | timedelta | None = None
    not_before: datetime | None = None
    retries: int | None = None
    headers: Mapping[str, str] | None = None
    callback: str | None = None
    failure_callback: str | None = None


def requests_of(subject: str, jobs: Iterable[Payload | JobRequest]) -> list[JobRequest]:
    """Payloads as requests. Raises InvalidJob for one that is given without a list: a payload can be iterated too."""
    if isinstance(jobs, Payload | JobRequest):
        raise InvalidJob(
            subject, [("jobs", f"must be several, as a list, and this is one {type(jobs).__name__}")]
        )
    return [each if isinstance(each, JobRequest) else JobRequest(each) for each in jobs]


def require_connection(subject: str, connection: object) -> None:
    """Refuse what is no connection of psycopg's own, such as an ORM's. Raises InvalidJob."""
    if connection is not None and not isinstance(connection, psycopg.Connection):
        what = f"must be a psycopg.Connection, not {type(connection).__name__}: an ORM's has to be unwrapped"
        raise InvalidJob(subject, [("connection", what)])


def new_jobs(subject: str, requests: Sequence[JobRequest], settings: DispatcherSettings) -> list[NewJob]:
    """The rows that requests become. Raises InvalidJob for the first that cannot, naming its position."""
    jobs, size = [], 0
    for position, request in enumerate(requests):
        try:
            job, bytes_of_it = _new_job(request, settings)
        except InvalidJob as error:
            named = [(f"jobs[{position}].{field}", what) for field, what in error.problems]
            raise InvalidJob(subject, named) from None
        jobs.append(job)
        size += bytes_of_it
        if size > LARGEST_INSERT:
            raise InvalidJob(
                subject,
                [("jobs", f"must be at most {LARGEST_INSERT} bytes in all; make several calls of it")],
            )
    return jobs


def new_job(request: JobRequest, settings: DispatcherSettings) -> NewJob:
    """The row that a request becomes.

    Raises InvalidJob, which names every field at fault; for a sensitive job also MissingSettings or SecretUnavailable
    without a key to seal it under.
    """
    return _new_job(request, settings)[0]


def _new_job(request: JobRequest, settings: DispatcherSettings) -> tuple[NewJob, int]:
    """The row, and the size of its payload in bytes."""
    asked = {field.name: getattr(request, field.name) for field in fields(request) if field.name != "payload"}
    options = JobOptions.check("enqueue", **asked)
    text, job_id = checked(request.payload), new_job_id()
    stored = stored_payload(text, request.payload.job_type, sealing.payload_of(job_id))
    config = get_job_config(request.payload.job_type)
    retries = config.retries if options.retries is None else options.retries
    job = NewJob(
        job_id=job_id,
        job_type=config.type.value,
        payload=stored.payload,
        max_attempts=retries + 1,
        publish_options=_publish_options(config, retries, options, settings),
        user_id=options.user_id,
        organization_id=options.organization_id,
        idempotency_key=options.idempotency_key,
        failure_callback=options.failure_callback,
        not_before=options.not_before,
        delay=None if options.delay is None else options.delay.total_seconds(),
        payload_key=stored.payload_key,
        by_reference=stored.by_reference,
        parent_job_id=lineage.parent(),
    )
    return job, _size(text)


def stored_payload(text: str, job_type: JobType, place: str) -> StoredPayload:
    """A checked payload as a row keeps it: sealed for its place where its type is sensitive.

    Raises MissingSettings or SecretUnavailable without a key.
    """
    if not is_sensitive(job_type):
        return StoredPayload(json.loads(text), by_reference=_size(text) > LARGEST_MESSAGE)
    check(PayloadKeySettings)
    sealed = sealing.seal(text, place)
    return StoredPayload(sealed.body, sealed.key_id, by_reference=True)


def checked(payload: Payload) -> str:
    """The payload as JSON, read back strictly: whatever the object was made of, the worker can read this.

    Raises InvalidJob; of a sensitive job it names fields and no values.
    """
    given: object = payload  # whatever a caller without a type checker gives
    if not isinstance(given, Payload) or not hasattr(given, "job_type"):
        named = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        raise InvalidJob("enqueue", [("payload", f"must be a Payload of a job type, not {named}")])
    try:
        text = _read_back(payload)
    except ValidationError as error:
        found = problems(error, type(payload))
    except (PydanticSerializationError, ValueError) as error:
        why = type(error).__name__ if is_sensitive(payload.job_type) else error  # its words may quote a value
        found = [("payload", f"cannot be sent as JSON: {why}")]
    else:
        if _size(text) <= LARGEST_PAYLOAD and not _NUL.search(text):
            return text
        found = [("payload", _refusal(text))]
    raise InvalidJob(
        type(payload).__name__, found
    )  # out here, so that no error that knows the values hangs on it


def _read_back(payload: Payload) -> str:
    text = payload.model_dump_json(by_alias=True, warnings=False)  # it is read right below
    type(payload).model_validate_json(text)
    # An envelope is a level deeper, which the parser may not allow.
    Envelope.model_validate_json(f'{{"type": "", "payload": {text}}}')
    return text


def _refusal(text: str) -> str:
    if _size(text) > LARGEST_PAYLOAD:
        return (
            f"must be at most {LARGEST_PAYLOAD} bytes as JSON; keep it elsewhere, as in S3, and pass its key"
        )
    return "must not contain the NUL character, which Postgres cannot store"


def _size(text: str) -> int:
    return len(text.encode())


def _publish_options(
    config: JobConfig, retries: int, options: JobOptions, settings: DispatcherSettings
) -> dict[str, Any]:
    published = publishing.default_options(config, retries, options.organization_id, settings)
    if options.headers:
        published["headers"] = options.headers
    if options.callback:
        published["callback"] = options.callback
    return published
