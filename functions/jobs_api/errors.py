"""What a caller is told when it cannot be done: a status, one sentence, and each field at fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from pydantic.alias_generators import to_camel

from shared.errors import (
    DatabaseUnavailable,
    EndpointUnknown,
    IdempotencyConflict,
    InvalidJob,
    JobHasEnded,
    JobNotEnded,
    JobNotFound,
    MissingSettings,
    NothingToReplay,
    PosthasteError,
    PublishFailed,
    PublishRejected,
    ScheduleNotFound,
    SecretUnavailable,
    UnknownJobType,
)
from shared.job_request import JobOptions
from shared.observability import logger

_LONGEST_MESSAGE, _MOST_PROBLEMS = 4_000, 50  # a body may hold a million fields at fault


class Refused(Exception):
    """The request is answered with this status; `problems` are (field, what is wrong) pairs, the first fifty."""

    def __init__(
        self,
        status: int,
        message: str,
        problems: Sequence[tuple[str, str]] = (),
        *,
        retry_after: int | None = None,
        allow: str | None = None,
    ) -> None:
        self.status, self.message, self.problems = (
            status,
            message[:_LONGEST_MESSAGE],
            tuple(problems[:_MOST_PROBLEMS]),
        )
        self.retry_after, self.allow = retry_after, allow
        super().__init__(message)

    @property
    def headers(self) -> dict[str, str]:
        """What the answer's headers say of it."""
        found = {
            "Retry-After": None if self.retry_after is None else str(self.retry_after),
            "Allow": self.allow,
            "WWW-Authenticate": 'Bearer realm="posthaste"' if self.status == 401 else None,
        }
        return {name: value for name, value in found.items() if value is not None}

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        problems = [{"field": field, "message": what} for field, what in self.problems]
        return {"error": self.message, **({"problems": problems} if problems else {})}


STATUS: dict[type[PosthasteError], int] = {
    InvalidJob: 400,
    UnknownJobType: 400,
    JobNotFound: 404,
    ScheduleNotFound: 404,
    NothingToReplay: 404,
    IdempotencyConflict: 409,
    JobHasEnded: 409,
    JobNotEnded: 409,
    PublishRejected: 400,
}
_RETRY_SECONDS = 5


def refusal(error: Exception) -> Refused | None:  # noqa: PLR0911  # a table of errors
    """How an error is told to the caller; None for one that is a fault of ours."""
    match error:
        case Refused():
            return error
        case InvalidJob():
            return Refused(400, str(error), [(_wire_name(field), what) for field, what in error.problems])
        case PosthasteError() if type(error) in STATUS:
            return Refused(STATUS[type(error)], str(error))
        case (
            MissingSettings()
            | DatabaseUnavailable()
            | SecretUnavailable()
            | PublishFailed()
            | EndpointUnknown()
        ):
            logger.error("cannot be done now", extra={"reason": str(error)})
            return Refused(503, _words_for_later(error), retry_after=_RETRY_SECONDS)
        case (
            psycopg.OperationalError()
            | psycopg.errors.ReadOnlySqlTransaction()
            | psycopg.errors.InsufficientPrivilege()
        ):
            logger.error("Postgres cannot do it now", extra={"reason": str(error)})
            return Refused(503, "Postgres cannot do this now: try again", retry_after=_RETRY_SECONDS)
        case psycopg.DataError():
            return Refused(400, "Postgres cannot hold one of the values")
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            logger.error("the schema is not current", extra={"reason": str(error)})
            return Refused(503, "the database's schema is not current: run make migrate", retry_after=60)
        case _:
            return None


def _words_for_later(error: Exception) -> str:
    """Without details: they may name hosts and secrets. Our log has them."""
    if isinstance(error, PublishFailed):
        return "QStash cannot be asked now: try again"
    if isinstance(error, DatabaseUnavailable):
        return "Postgres cannot be reached now: try again (with an idempotency key, where a job is enqueued)"
    return "a setting or a secret of this function is missing; its log says which"


def _wire_name(field: str) -> str:
    """An option's name as the API spells it; what lies in a payload is spelled so already."""
    return to_camel(field) if field in JobOptions.model_fields else field
