"""What a caller may say about a job besides its payload, checked before anything is written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from shared.envelope import problems
from shared.errors import InvalidJob

LONGEST_DELAY = timedelta(days=3650)
MOST_RETRIES = 50
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}")
_CALLBACK = re.compile(r"(?=.{1,2048}$)https?://[A-Za-z0-9\[][!-~]*")
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
