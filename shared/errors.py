"""Every error a caller can meet. Each message says what was wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID


class PosthasteError(Exception):
    """Base of all errors raised on purpose."""


class InvalidJob(PosthasteError, ValueError):
    """A job cannot be accepted as it was given; nothing was written.

    `field` is the first field at fault (dotted for nested ones), `problems` all of them as
    (field, what is wrong) pairs.
    """

    def __init__(self, subject: str, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        self.field = self.problems[0][0]
        super().__init__(f"{subject}: " + "; ".join(f"{field}: {what}" for field, what in self.problems))


class IdempotencyConflict(PosthasteError):
    """The idempotency key was used before for this job type, with another payload; `job_id` is the job that holds it."""

    def __init__(self, key: str, job_id: UUID) -> None:
        self.key, self.job_id = key, job_id
        super().__init__(
            f"idempotency_key {key!r} already belongs to job {job_id}, which has another payload: "
            "use a new key for new work, or send the same payload again"
        )


class UnknownJobType(PosthasteError, LookupError):
    """No job type has this name."""


class JobNotFound(PosthasteError, LookupError):
    """No job has this id."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"there is no job {job_id}")


class JobHasEnded(PosthasteError):
    """The job has ended, and what was asked takes one that has not (or, to run it again, one that failed)."""

    def __init__(self, job_id: UUID, status: str) -> None:
        super().__init__(f"job {job_id} has ended: it is {status}")


class JobNotEnded(PosthasteError):
    """The job may still run; cancel it before it is run again."""

    def __init__(self, job_id: UUID, status: str) -> None:
        super().__init__(f"job {job_id} has not ended: it is {status}. Cancel it first, or wait")


class ScheduleNotFound(PosthasteError, LookupError):
    """QStash has no schedule of this id."""

    def __init__(self, schedule_id: str) -> None:
        super().__init__(f"there is no schedule {schedule_id!r}")


class NothingToReplay(PosthasteError, LookupError):
    """No dead letter fits the filters."""

    def __init__(self, filters: Mapping[str, object]) -> None:
        given = ", ".join(f"{name}={value!s:.200}" for name, value in filters.items() if value is not None)
        super().__init__(f"no dead letter fits {given}")


class MissingSettings(PosthasteError):
    """Environment variables are missing or malformed; names every one of them, in `problems` too."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "the environment is incomplete: "
            + "; ".join(self.problems)
            + " (.env.example describes each variable)"
        )


class SecretUnavailable(PosthasteError):
    """A secret or parameter could not be read, or lacks an entry."""


class DatabaseUnavailable(PosthasteError):
    """Postgres could not be reached, or went away during a statement, which may or may not have taken effect."""


class StorageFailed(PosthasteError):
    """S3 could not be reached, or refused; carries its own words."""


class EndpointUnknown(PosthasteError):
    """No function URL is known for a job type."""


class PublishFailed(PosthasteError):
    """QStash did not take the message now. A job stays accepted and is published later; a schedule is not kept: call again."""


class PublishRejected(PosthasteError):
    """QStash refused this very message for good (HTTP 400); carries its own words."""


class InvalidSignature(PosthasteError):
    """A request was not signed by who should have sent it, as it should be. The reason is for our log only."""


class MissingSignature(InvalidSignature):
    """A request has no signature at all: a stranger's, since whoever should send it always signs."""


class JobTimeout(BaseException):
    """The running attempt has used up its time.

    Not an Exception, so that a handler's `except Exception` cannot swallow it.
    """
