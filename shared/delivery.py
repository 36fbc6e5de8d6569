"""One delivery of one job: claim, validate, run, finish, answer.

The rules (which status, which answer, in what order) were model-checked; each guard is there because the model lost
or doubled a job without it. docs/job-lifecycle.md tells them in words.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import psycopg
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from shared import answers, database, executions, outbox, reporting
from shared.alarm import Alarm
from shared.answers import Answer
from shared.envelope import Delivery, Payload, problems
from shared.errors import DatabaseUnavailable, JobTimeout, SecretUnavailable
from shared.job import Job
from shared.observability import logger, remember
from shared.outcomes import Cancel, Complete, Fail, Outcome, Retry
from shared.registry import JobConfig
from shared.rows import ClaimedJob, Ended

P = TypeVar("P", bound=Payload)

LEASE_MARGIN = 10.0  # seconds a lease outlives the job's timeout; Lambda ends the process 5 s after that
_RECORDING_SECONDS = (
    4.0  # what is left after the timeout until Lambda ends the process, less one for the answer
)
_LONGEST_TRACEBACK = 8_000  # characters


@dataclass(frozen=True, slots=True)
class Failure:
    """What an exception becomes: an attempt to be recorded as failed."""

    type: str
    message: str
    traceback: str | None = None


class Attempt(Generic[P]):
    """Delivers one message to one handler, within so many seconds."""

    def __init__(
        self,
        delivery: Delivery,
        config: JobConfig,
        payload: type[P],
        handler: Callable[[Job[P]], Any],
        seconds: float,
    ) -> None:
        self._delivery, self._config, self._payload, self._handler = delivery, config, payload, handler
        self._seconds = min(config.timeout, seconds)
        self._alarm = Alarm(self._seconds)
        self._claimed: ClaimedJob | None = None
        self._job: Job[P] | None = None

    def deliver(self) -> Answer:
        """Do all of it and say what to answer. Never raises for anything that a job or its surroundings can do."""
        try:
            self._alarm.start()
            return self._claim_and_run()
        except JobTimeout as timeout:
            self._alarm.stop()
            return self._record_timeout(timeout)
        except (DatabaseUnavailable, SecretUnavailable) as error:
            logger.warning("Postgres is unreachable", extra={"reason": str(error)})
            return answers.not_now("Postgres is unreachable")
        except (
            psycopg.Error
        ):  # a schema that is not migrated, a right that is missing: an operator can mend it
            logger.exception("Postgres refused a statement of ours; are all migrations applied?")
            return answers.not_now("Postgres refused")
        finally:
            self._alarm.stop()
            if self._job is not None:
                self._job.roll_back()

    # --- before the handler ---------------------------------------------------------------------------------

    def _claim_and_run(self) -> Answer:
        claimed = self._claim()
        if claimed is None:
            return self._answer_standing()
        self._claimed = claimed
        remember(attempt=claimed.attempt, organization_id=claimed.organization_id)
        if claimed.status == "failed":
            return self._report("failed", None, claimed.error or "")
        reporting.received(claimed)
        return self._finish(self._run(claimed))

    def _claim(self) -> ClaimedJob | None:
        envelope, job_id = self._delivery.envelope, self._delivery.job_id
        if envelope.job_id is None:
            database.run(self._insert_scheduled)
        return database.run(
            lambda connection: executions.claim(
                connection,
                job_id,
                envelope.publication,
                lease=self._config.timeout + LEASE_MARGIN,
                message_id=self._delivery.message_id,
            )
        )

    def _insert_scheduled(self, connection: database.Connection) -> None:
        envelope = self._delivery.envelope
        executions.insert_scheduled(
            connection,
            self._delivery.job_id,
            envelope.type,
            envelope.payload,
            max_attempts=self._config.retries + 1,
            schedule_id=self._delivery.schedule_id,
            message_id=self._delivery.message_id or "",
            user_id=envelope.metadata.user_id,
            organization_id=envelope.metadata.organization_id,
        )

    def _answer_standing(self) -> Answer:
        """Answer by how the job stands, for a delivery that could not claim it or an attempt that lost it."""
        standing = database.run(
            lambda connection: executions.find_standing(connection, self._delivery.job_id)
        )
        if standing is None:
            logger.error("there is no such job")
            return answers.dead_letter("there is no such job")
        logger.info("not this delivery's to run", extra={"status": standing.status})
        if standing.status in {"completed", "cancelled"}:
            return answers.duplicate()
        if standing.status == "failed":
            return answers.dead_letter("the job has failed")
        if self._delivery.envelope.publication < standing.publication:
            return answers.duplicate()
        return answers.not_now("another attempt holds the job", (standing.lease_left or 0.0) + 1.0)

    # --- the handler ----------------------------------------------------------------------------------------

    def _run(self, claimed: ClaimedJob) -> Outcome | Failure:
        if claimed.job_type != self._config.type:
            return Fail(f"this worker runs {self._config.type} and the job is a {claimed.job_type}")
        try:
            # Tolerant, unlike enqueue: during a deploy a newer producer may send a field this code does not know.
            payload = self._payload.model_validate(claimed.payload, extra="ignore")
        except ValidationError as error:
            return Fail(
                "invalid payload: " + "; ".join(f"{field}: {what}" for field, what in problems(error))
            )
        self._job = Job(claimed, payload, self._seconds)
        try:
            outcome = self._handler(self._job)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the handler raised is the job's to record
            return _failure(error)
        if self._alarm.rang:  # and the handler swallowed it
            raise JobTimeout(f"timed out after {round(self._seconds, 1):g} s")
        return outcome if isinstance(outcome, Outcome) else Complete(outcome)

    # --- after the handler ----------------------------------------------------------------------------------

    def _finish(self, outcome: Outcome | Failure) -> Answer:
        """The one place where an outcome becomes a status and an answer."""
        match outcome:
            case Complete(result):
                return self._complete(result)
            case Cancel(reason):
                return self._end(
                    "cancelled", reason, lambda c, j, a: executions.cancel_attempt(c, j, a, reason)
                )
            case Fail(reason):
                return self._record(Failure("Fail", reason), permanent=True)
            case Retry(reason=reason):
                return self._record(Failure("Retry", reason), retry_after=outcome.seconds)
            case Failure():
                return self._record(outcome)

    def _complete(self, result: Any) -> Answer:
        try:
            stored = to_jsonable_python(result, by_alias=True)
            connection = self._job.open_transaction if self._job else None
        except (PydanticSerializationError, RuntimeError) as error:
            return self._record(Failure(type(error).__name__, str(error)), permanent=True)
        try:
            if connection is None:
                ended = database.run(lambda fresh: self._write_completed(fresh, stored))
            else:
                ended = self._commit(connection, stored)
        except DatabaseUnavailable:
            if connection is None:
                raise
            return self._record(
                Failure("DatabaseUnavailable", "Postgres went away before the transaction's commit")
            )
        except psycopg.Error as error:  # a deferred constraint, a result that jsonb cannot hold
            return self._record(_failure(error))
        if ended is None:
            return self._answer_standing()
        if connection is not None:
            _publish_written(connection)
        return self._report("completed", ended, None)

    def _commit(self, connection: database.Connection, stored: Any) -> Ended | None:
        """Commit the handler's writes with `completed`, or neither where the attempt is stale."""

        def commit(open_transaction: database.Connection) -> Ended | None:
            ended = self._write_completed(open_transaction, stored)
            open_transaction.execute("COMMIT" if ended else "ROLLBACK")
            return ended

        return database.attempt(commit, connection)

    def _write_completed(self, connection: database.Connection, stored: Any) -> Ended | None:
        claimed = self._known_claim()
        return executions.complete(connection, claimed.job_id, claimed.attempt, stored)

    def _record(
        self, failure: Failure, *, permanent: bool = False, retry_after: float | None = None
    ) -> Answer:
        def write(connection: database.Connection, job_id: UUID, attempt: int) -> Ended | None:
            return executions.record_failed_attempt(
                connection,
                job_id,
                attempt,
                type=failure.type,
                message=failure.message,
                traceback=failure.traceback,
                permanent=permanent,
                retry_after=retry_after,
            )

        return self._end(None, failure.message, write, retry_after)

    def _end(
        self,
        status: str | None,
        message: str,
        write: Callable[[database.Connection, UUID, int], Ended | None],
        retry_after: float | None = None,
    ) -> Answer:
        claimed = self._known_claim()
        if self._job is not None:
            self._job.roll_back()
        ended = database.run(lambda connection: write(connection, claimed.job_id, claimed.attempt))
        if ended is None:
            return self._answer_standing()
        return self._report(status or ended.status, ended, message, retry_after)

    def _record_timeout(self, timeout: JobTimeout) -> Answer:
        """Cut every connection, which may be in the middle of a command, and record on a fresh one."""
        alarm = Alarm(_RECORDING_SECONDS)
        try:
            alarm.start()
            database.discard()
            if self._claimed is None:
                return answers.not_now("timed out before the job was claimed")
            return self._record(_failure(timeout))
        except (JobTimeout, DatabaseUnavailable, SecretUnavailable) as error:
            logger.error(
                "the timeout could not be recorded; the lease's end will be", extra={"reason": str(error)}
            )
            return answers.not_now("Postgres is unreachable")
        finally:
            alarm.stop()

    # --- telling --------------------------------------------------------------------------------------------

    def _report(
        self, status: str, ended: Ended | None, error: str | None, retry_after: float | None = None
    ) -> Answer:
        """Tell of what has just been committed, and turn it into the answer."""
        duration = None if ended is None else ended.duration
        reporting.ended(self._config.type, status, duration, error)
        match status:
            case "completed":
                return answers.done()
            case "cancelled":
                return answers.done(cancelled=True)
            case "retrying" if retry_after is not None:
                return answers.not_now(error or "", retry_after)
            case "retrying":
                return answers.failed_attempt(error or "")
        self._tell_caller()
        return answers.dead_letter(error or "")

    def _tell_caller(self) -> None:
        claimed = self._known_claim()
        if claimed.failure_callback is not None:
            from shared import dispatcher  # noqa: PLC0415  # few jobs ask for it; reconcile tries again

            dispatcher.tell_failures(claimed.job_id)

    def _known_claim(self) -> ClaimedJob:
        assert self._claimed is not None  # noqa: S101  # nothing is written before the claim
        return self._claimed


def _publish_written(connection: database.Connection) -> None:
    if written := outbox.take(connection):
        from shared import dispatcher  # noqa: PLC0415  # whoever wrote them has imported it

        dispatcher.publish_written(written)


def _failure(error: BaseException) -> Failure:
    text = "".join(traceback.format_exception(error))
    return Failure(type(error).__name__, str(error) or type(error).__name__, text[-_LONGEST_TRACEBACK:])
