"""What travels: the requests that are taken and the answers that are given. camelCase on the wire.

The OpenAPI document is made of these. Times are ISO 8601 with their offset, spans are seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.alias_generators import to_camel

from shared.registry import JobType

Status = Literal["pending", "processing", "retrying", "completed", "failed", "cancelled"]
MOST_AT_ONCE = 500  # jobs that one call of a bulk action takes
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise ValueError("must hold neither NUL nor half of a surrogate pair: Postgres cannot store them")
    return text


def _in_range(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("must be between 1970 and 2999")
    return moment


Text = Annotated[str, AfterValidator(_storable)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_storable)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]
Id = Annotated[int, Field(ge=1, lt=2**63)]
OfOrganization = Annotated[
    Id | None, Query(alias="organizationId", description="Of this organization alone.")
]


class Wire(BaseModel):
    """A model of this API."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        hide_input_in_errors=True,
    )


class Asked(Wire):
    """What a caller sends: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


# --- asked ----------------------------------------------------------------------------------------------------


class Filters(Asked):
    """Which jobs: those that fit every filter given."""

    type: JobType | None = Field(None, description="The job type.")
    status: Status | None = Field(
        None, description="With `error` and `errorGroup` it is `failed` where none is given."
    )
    user_id: Id | None = Field(None, description="The user that the job is for.")
    organization_id: Id | None = Field(None, description="The organization that the job is for.")
    created_after: Moment | None = Field(None, description="Accepted then or later.")
    created_before: Moment | None = Field(None, description="Accepted before.")
    error: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="A part of the error's text, in whatever case."
    )
    error_group: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        None, description="What went wrong, as /v1/dead-letters names it."
    )
    idempotency_key: Word | None = Field(None, description="The key that the job was enqueued with.")
    schedule_id: Word | None = Field(None, description="The schedule whose run the job is.")
    batch_id: UUID | None = Field(None, description="The batch that the job is a member of.")
    parent_job_id: UUID | None = Field(None, description="The job that enqueued it while it ran.")

    @property
    def given(self) -> dict[str, Any]:
        """Those that were given, JSON-ready, as the wire names them."""
        return self.model_dump(
            mode="json", by_alias=True, exclude_none=True, include=set(Filters.model_fields)
        )


class EnqueueRequest(Asked):
    """A job to be accepted, as `enqueue` takes it."""

    type: JobType
    payload: dict[str, Any] = Field(description="As /v1/types describes it for this type.")
    user_id: Id | None = None
    organization_id: Id | None = None
    idempotency_key: Word | None = Field(
        None, description="Sent again with the same payload, it is the same job."
    )
    delay: float | None = Field(None, ge=0, le=315_360_000, description="Seconds.")
    not_before: Moment | None = None
    retries: int | None = Field(None, ge=0, le=50)
    headers: dict[str, str] | None = Field(None, description="Reach the worker's request.")
    callback: str | None = Field(
        None, max_length=2048, description="A URL that QStash calls after each attempt."
    )
    failure_callback: str | None = Field(
        None, max_length=2048, description="A URL called once the job has failed."
    )


class CancelRequest(Asked):
    """Why."""

    reason: Annotated[Text, StringConstraints(min_length=1, max_length=500)] | None = None


class RetryRequest(Asked):
    """Run it again, with a corrected payload where one is given."""

    payload: dict[str, Any] | None = None


class BulkRequest(Asked):
    """Act on the jobs that fit, `limit` of them at most; again with `cursor` for those after them."""

    filter: Filters
    limit: int = Field(100, ge=1, le=MOST_AT_ONCE)
    cursor: str | None = Field(None, max_length=100, description="What the call before answered as `next`.")


class BulkCancelRequest(BulkRequest):
    """Cancel the jobs that fit and have not ended."""

    reason: Annotated[Text, StringConstraints(min_length=1, max_length=500)] | None = None


# --- answered -------------------------------------------------------------------------------------------------


class Problem(Wire):
    """One field at fault."""

    field: str
    message: str


class Error(Wire):
    """Why it was not done."""

    error: str
    problems: list[Problem] | None = None


class Accepted(Wire):
    """The job that was accepted, now or with this idempotency key before."""

    job_id: UUID


class JobSummary(Wire):
    """A job as lists show it."""

    job_id: UUID
    type: str
    status: Status
    error: str | None = Field(description="The first 300 characters.")
    run: int
    attempt: int
    max_attempts: int
    user_id: int | None
    organization_id: int | None
    idempotency_key: str | None
    schedule_id: str | None
    batch_id: UUID | None
    not_before: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AttemptError(Wire):
    """How one attempt failed."""

    run: int | None = None
    attempt: int | None = None
    at: datetime | None = None
    type: str | None = None
    message: str | None = None
    traceback: str | None = None


class JobReference(Wire):
    """Another job of the same chain."""

    job_id: UUID
    type: str
    status: Status
    batch_id: UUID | None
    created_at: datetime


class Job(JobSummary):
    """A job whole. What is sensitive shows as `{"redacted": "sensitive"}`, what is too large as `{"omitted": …}`."""

    error: str | None
    payload: JsonValue
    result: JsonValue
    progress: JsonValue
    errors: list[AttemptError] = Field(description="Of all runs, oldest first; the latest 50 at most.")
    error_count: int
    retry_count: int
    publication: int
    published_at: datetime | None
    lease_expires_at: datetime | None
    deliver_by: datetime | None
    qstash_message_id: str | None
    dlq_id: str | None
    endpoint: str | None
    completes_batch: UUID | None = Field(description="The batch whose end set the job off.")
    parent: JobReference | None = Field(
        description="The job that enqueued it, while it ran or as one of its next jobs; null also where that is gone."
    )
    children: list[JobReference] = Field(description="The first jobs that it enqueued itself.")
    more_children: bool = Field(description="There are more: list jobs by `parentJobId`.")
    sensitive: bool


class JobPage(Wire):
    """A page of jobs, newest first."""

    jobs: list[JobSummary]
    next: str | None = Field(description="The cursor of the page after this one; null at the end.")
    searched_to: datetime | None = Field(
        description="Where fewer jobs fit than were asked for and older ones were not looked at: how far they were."
    )


class Count(Wire):
    """How many jobs fit."""

    count: int
    complete: bool = Field(description="False: of the newest ones looked at; there may be more.")


class BulkResult(Wire):
    """What was done. Call again with `next` as `cursor` until it is null."""

    job_ids: list[UUID] = Field(description="The jobs it was done to.")
    skipped: int = Field(description="Jobs that had changed meanwhile.")
    next: str | None


class DeadLetterGroup(Wire):
    """Dead letters of one type with one error, numbers and ids aside."""

    type: str
    error_group: str
    error: str
    jobs: int
    first_at: datetime
    last_at: datetime
    job_id: UUID = Field(description="The newest of them.")


class DeadLetterGroups(Wire):
    """The newest dead letters by what went wrong."""

    groups: list[DeadLetterGroup]
    looked_at: int = Field(description="How many dead letters that are.")
    complete: bool = Field(description="False: there are older ones.")


class TypeStatistics(Wire):
    """Jobs of one type and status; durations of the last attempt of completed ones."""

    type: str
    status: Status
    jobs: int
    retries: int
    average_duration: float | None
    p50_duration: float | None
    p95_duration: float | None
    longest_duration: float | None


class Step(Wire):
    """One step of the window."""

    at: datetime
    accepted: int
    completed: int
    failed: int


class Statistics(Wire):
    """Jobs accepted within a window."""

    window: int
    since: datetime
    complete: bool = Field(description="False: so many that only the newest were counted.")
    types: list[TypeStatistics]
    step: int
    steps: list[Step]


class Health(Wire):
    """How the queue does. Without an API key only `health` is told."""

    health: Literal["healthy", "degraded", "unhealthy"]
    reasons: list[str] | None = None
    counts: dict[Status, int] | None = Field(None, description="Jobs accepted within the last hour.")
    total_jobs: int | None = Field(None, description="All of them.")
    failure_rate: float | None = Field(None, description="Failed ones per completed or failed one, 0 to 1.")
    complete: bool | None = Field(None, description="False: so many that only the newest were counted.")
    depth: int | None = Field(None, description="Jobs that wait.")
    oldest_pending: float | None = Field(None, description="For how long the oldest due one has waited.")
    stuck: int | None = Field(None, description="Running for over ten minutes, their lease expired.")
    dead_letters: int | None = None
    unpublished: int | None = Field(None, description="Due, and not known to be at QStash.")


class TypeDescription(Wire):
    """A job type and what it takes."""

    type: JobType
    description: str
    retries: int
    timeout: int
    sensitive: bool
    within_organization: bool = Field(description="Whether a key bound to one organization may enqueue it.")
    payload_schema: dict[str, Any] = Field(description="JSON Schema.")


class Types(Wire):
    """All of them."""

    types: list[TypeDescription]


class Batch(Wire):
    """Jobs, and one that runs when all of them have ended."""

    id: UUID
    total: int
    remaining: int
    then_job_id: UUID
    then_type: str
    organization_id: int | None
    fired_at: datetime | None
    created_at: datetime


class BatchPage(Wire):
    """Batches, newest first."""

    batches: list[Batch]
    next: str | None


class ScheduleRun(Wire):
    """A schedule's latest run."""

    job_id: UUID
    status: Status
    created_at: datetime
    completed_at: datetime | None
    error: str | None


class Schedule(Wire):
    """A job that runs by the clock."""

    id: str
    type: str
    cron: str
    time_zone: str
    paused: bool
    next_run_at: datetime | None
    organization_id: int | None
    user_id: int | None
    overlap: Literal["allow", "skip"]
    last_run: ScheduleRun | None


class Schedules(Wire):
    """All of this stack's."""

    schedules: list[Schedule]


class RunNow(Wire):
    """The run that was set off."""

    job_id: UUID


class Done(Wire):
    """It was done."""

    done: Literal[True] = True


class ActionNote(Wire):
    """Something that somebody did."""

    id: int
    at: datetime
    key_name: str
    organization_id: int | None
    via: Literal["api", "dashboard"]
    source_ip: str
    action: str
    target: str | None
    details: dict[str, Any]
    outcome: str | None = Field(description="Null: under way, or its process died.")
    ended_at: datetime | None


class ActionPage(Wire):
    """Actions, latest first."""

    actions: list[ActionNote]
    next: str | None
