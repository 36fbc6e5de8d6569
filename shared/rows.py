"""The shapes in which the job_executions table is written and read. Times of the clock are aware; spans are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """A payload as a row keeps it: plain, or sealed under the key of this id; left out of messages if `by_reference`."""

    payload: Mapping[str, Any]
    payload_key: str | None = None
    by_reference: bool = False


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be accepted. `delay` is in seconds; `not_before` wins over it."""

    job_id: UUID
    job_type: str
    payload: Mapping[str, Any]
    max_attempts: int
    publish_options: Mapping[str, Any]
    user_id: int | None = None
    organization_id: int | None = None
    idempotency_key: str | None = None
    failure_callback: str | None = None
    batch_id: UUID | None = None
    not_before: datetime | None = None
    delay: float | None = None
    payload_key: str | None = None
    by_reference: bool = False
    parent_job_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class UnpublishedJob:
    """A publication that is not known to be at QStash, with all it takes to publish it."""

    job_id: UUID
    job_type: str
    payload: dict[str, Any]  # empty where it travels by reference
    user_id: int | None
    organization_id: int | None
    idempotency_key: str | None
    created_at: datetime
    publication: int
    publish_options: dict[str, Any]
    not_before: datetime | None
    within_reach: bool = True  # False: further ahead than QStash's longest delay, published later
    transaction: str = ""  # Postgres's id of the transaction that wrote it, where it has just been written


@dataclass(frozen=True, slots=True)
class Receipt:
    """QStash has taken a message: its id, and where it will be delivered."""

    message_id: str
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class SchedulePayload:
    """The payload, as JSON, that a schedule's messages name; sealed where it has a key's id."""

    id: UUID
    payload: str
    payload_key: str | None


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job as its claim left it: `processing`, or `failed` where its attempts were used up."""

    job_id: UUID
    job_type: str
    status: str
    payload: str  # as JSON: it is validated as what it was sent as
    run: int
    attempt: int
    max_attempts: int
    user_id: int | None
    organization_id: int | None
    idempotency_key: str | None
    schedule_id: str | None
    created_at: datetime
    error: str | None
    failure_callback: str | None
    batch_id: UUID | None
    completes_batch: UUID | None
    waited: float  # seconds between being due and this claim
    since_last_error: float | None  # seconds
    payload_key: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands that could not be claimed or written; `lease_left` is in seconds."""

    status: str
    publication: int
    attempt: int
    lease_left: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """What a guarded write made of the attempt; `duration` is the attempt's, in seconds."""

    status: str
    duration: float


@dataclass(frozen=True, slots=True)
class SettledJob:
    """A job that was given back, or ended, by somebody other than its worker."""

    job_id: UUID
    job_type: str
    status: str
    organization_id: int | None
    attempt: int
    error: str


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication of a job, and the message that QStash made of it where that is known."""

    job_id: UUID
    publication: int
    qstash_message_id: str | None
    batch_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class BatchMember:
    """How one job of a batch stands, or has ended."""

    job_id: UUID
    job_type: str
    status: str
    result: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class UntoldFailure:
    """A failed job whose caller's failure callback has not been published."""

    job_id: UUID
    job_type: str
    run: int
    attempt: int
    error: str
    errors: list[dict[str, Any]]
    failure_callback: str
    organization_id: int | None
    user_id: int | None
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class QueueGauges:
    """What the alarms watch: counts of jobs, and the age of the oldest due pending one in seconds."""

    depth: int
    oldest_pending: float
    stuck: int
    dead_letters: int
    unpublished: int


@dataclass(frozen=True, slots=True)
class Execution:
    """One row, as people and tools read it: without what a sensitive job was given and has returned.

    `status` is pending, processing, retrying, completed, cancelled or failed. `error` is the last error and `errors` all of
    them, of every run: `attempt`, `at`, `type`, `message`, `traceback`. `progress` is what the handler showed last: `done`,
    `total`, `message`. `attempt` and `max_attempts` count over all runs, `retry_count` is the attempts beyond the first.
    """

    job_id: UUID
    job_type: str
    status: str
    payload: dict[str, Any]
    result: Any
    error: str | None
    errors: list[dict[str, Any]]
    progress: Any
    retry_count: int
    user_id: int | None
    organization_id: int | None
    idempotency_key: str | None
    schedule_id: str | None
    parent_job_id: UUID | None
    run: int
    attempt: int
    max_attempts: int
    publication: int
    not_before: datetime | None
    published_at: datetime | None
    lease_expires_at: datetime | None
    qstash_message_id: str | None
    dlq_id: str | None
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What is sealed under one key: jobs (those that have not ended apart), and what schedules and batches keep."""

    key_id: str
    jobs: int
    unfinished_jobs: int
    schedules: int
    batches: int


@dataclass(frozen=True, slots=True)
class TypeStatistics:
    """Jobs of one type and status created within a window. Durations, in seconds, are of those that completed, else None."""

    job_type: str
    status: str
    jobs: int
    retries: int
    average_duration: float | None
    p95_duration: float | None
