"""One delivery of one job: claim, validate, run, finish, answer.

The rules (which status, which answer, in what order) were model-checked; each guard is there because the model lost
or doubled a job without it. docs/job-lifecycle.md tells them in words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar
from uuid import uuid4

import psycopg
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from shared import answers, database, executions, outbox, reporting, sealing
from shared.alarm import Alarm
from shared.answers import Answer
from shared.envelope import Delivery, Payload, problems
from shared.errors import DatabaseUnavailable, JobTimeout, SecretUnavailable
from shared.failures import Failure, cut, describe, outline, words
from shared.fault_points import FaultPoint, reach
from shared.job import Job
from shared.observability import logger, remember
from shared.outcomes import Cancel, Complete, Fail, Outcome, Retry
from shared.registry import JobConfig
from shared.rows import ClaimedJob, Ended, Standing, StoredPayload

P = TypeVar("P", bound=Payload)

LEASE_MARGIN = 10.0  # seconds a lease outlives the job's timeout; Lambda ends the process 5 s after that
_RECORDING_SECONDS = (
    4.0  # what is left after the timeout until Lambda ends the process, less one for the answer
)
_KEY_SECONDS = 300.0  # until a job is tried again that waits for a key


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
        self._id = uuid4()
        self._claimed: ClaimedJob | None = None
        self._job: Job[P] | None = None
        self._hurried = False

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
        ) as error:  # a schema that is not migrated, a right that is missing: an operator can mend it
            reason = self._failure(error).message
            logger.error("Postgres refused; are all migrations applied?", extra={"reason": reason})
            database.discard()
            return answers.not_now("Postgres refused")
        finally:
            self._alarm.stop()
            if self._job is not None:
                self._job.end()

    # --- before the handler ---------------------------------------------------------------------------------

    def _claim_and_run(self) -> Answer:
        if self._delivery.envelope.job_id is None:
            try:
                is_to_run = database.run(self._insert_scheduled)
            except psycopg.DataError as error:
                logger.error("the scheduled payload cannot be stored", extra={"reason": words(error)})
                return answers.dead_letter("the payload cannot be stored")
            if not is_to_run:
                logger.info("skipped: the schedule's last run is not over")
                return answers.done(skipped=True)
            reach(FaultPoint.RUN_INSERTED)
        claimed = self._claimed = database.run(self._claim) or database.run(self._find_own_claim)
        if claimed is None:
            return self._answer_standing()
        reach(FaultPoint.CLAIMED)
        remember(attempt=claimed.attempt, organization_id=claimed.organization_id)
        if claimed.status == "failed":
            return self._report("failed", None, claimed.error)
        reporting.received(claimed)
        return self._finish(self._run(claimed))

    def _claim(self, connection: database.Connection) -> ClaimedJob | None:
        return executions.claim(
            connection,
            self._delivery.job_id,
            self._delivery.envelope.publication,
            lease=self._config.timeout + LEASE_MARGIN,
            message_id=self._delivery.message_id,
            delivery=self._id,
        )

    def _find_own_claim(self, connection: database.Connection) -> ClaimedJob | None:
        """What `_claim` did, where it committed and its acknowledgement was lost."""
        return executions.find_own_claim(connection, self._delivery.job_id, self._id)

    def _insert_scheduled(self, connection: database.Connection) -> bool:
        return executions.insert_scheduled(
            connection,
            self._delivery.job_id,
            self._delivery.envelope,
            retries=self._config.retries,
            schedule_id=self._delivery.schedule_id,
            message_id=self._delivery.message_id or "",
            payload=self._sealed_on_arrival(),
        )

    def _sealed_on_arrival(self) -> StoredPayload | None:
        """The payload of a schedule that was made before its type was marked as sensitive, and brings it along."""
        envelope = self._delivery.envelope
        terms = envelope.metadata.schedule
        if not self._config.sensitive or (terms is not None and terms.payload_id is not None):
            return None
        sealed = sealing.seal(json.dumps(envelope.payload), sealing.payload_of(self._delivery.job_id))
        return StoredPayload(sealed.body, sealed.key_id, by_reference=True)

    def _answer_standing(self) -> Answer:
        """Answer by how the job stands, for a delivery that could not claim it or an attempt that lost it."""
        standing = self._find_standing()
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

    def _find_standing(self) -> Standing | None:
        return database.run(lambda connection: executions.find_standing(connection, self._delivery.job_id))

    # --- the handler ----------------------------------------------------------------------------------------

    def _run(self, claimed: ClaimedJob) -> Outcome | Failure | SecretUnavailable:
        if claimed.job_type != self._config.type:
            return Fail(f"this worker runs {self._config.type} and the job is a {claimed.job_type}")
        try:
            opened = self._open(claimed)
        except SecretUnavailable as error:
            return error
        try:
            # Tolerant, unlike enqueue: during a deploy a newer producer may send a field this code does not know.
            payload = self._payload.model_validate_json(opened, extra="ignore")
        except ValidationError as error:
            found = problems(error, self._payload)
            return Fail("invalid payload: " + "; ".join(f"{field}: {what}" for field, what in found))
        self._job = Job(claimed, payload, self._alarm.seconds_left)
        try:
            outcome = self._handler(self._job)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # whatever the handler raised is the job's to record
            if self._alarm.rang:  # perhaps wrapped: in a task group's exception, as a cause
                raise JobTimeout(self._alarm.message).with_traceback(error.__traceback__) from None
            return self._failure(error)
        if self._alarm.rang:  # and the handler swallowed it
            raise JobTimeout(self._alarm.message)
        return outcome if isinstance(outcome, Outcome) else Complete(outcome)

    def _open(self, claimed: ClaimedJob) -> str:
        """The payload's JSON. Raises SecretUnavailable, also where the result could not be sealed later."""
        if self._is_sensitive:
            sealing.check_keys()
        places = sealing.payload_of(claimed.job_id), sealing.payload_of_schedule(claimed.schedule_id)
        return sealing.unseal(claimed.payload, claimed.payload_key, *places)

    # --- after the handler ----------------------------------------------------------------------------------

    def _finish(self, outcome: Outcome | Failure | SecretUnavailable) -> Answer:
        """The one place where an outcome becomes a status and an answer."""
        reach(FaultPoint.HANDLED)
        match outcome:
            case Complete(result, then):
                return self._complete(result, then)
            case Cancel(reason):
                return self._cancel(str(reason))
            case Fail(reason):
                return self._record(Failure("Fail", str(reason)), permanent=True)
            case Retry(reason=reason):
                return self._record(Failure("Retry", str(reason)), retry_after=outcome.seconds)
            case Failure():
                return self._record(outcome)
            case SecretUnavailable():
                return self._give_back(outcome)

    def _complete(self, result: Any, then: Sequence[Any]) -> Answer:
        try:
            stored = json.dumps(to_jsonable_python(result, by_alias=True), allow_nan=False)
            self._accept_next(then)
            connection = self._job.open_transaction if self._job else None
        except (DatabaseUnavailable, psycopg.Error) as error:  # the next jobs could not be written now
            return self._record(self._failure(error))
        except SecretUnavailable as error:  # the next jobs are sensitive
            return self._give_back(error)
        except Exception as error:  # noqa: BLE001  # a generator in the result runs the handler's code
            failure = self._failure(error)
            message = f"the handler's outcome cannot be recorded: {failure.message}"
            return self._record(Failure(failure.type, message, failure.traceback), permanent=True)
        return self._write_completion(connection, stored)

    def _write_completion(self, connection: database.Connection | None, result: str) -> Answer:
        try:
            stored = self._stored_result(result)
        except SecretUnavailable as error:
            return self._give_back(error)
        try:
            if connection is None:
                ended = database.run(lambda kept: self._write_completed(kept, stored))
            else:
                ended = self._commit(connection, stored)
        except DatabaseUnavailable:
            if connection is None:
                raise
            return self._record(
                Failure("DatabaseUnavailable", "Postgres went away before the transaction's commit")
            )
        except psycopg.Error as error:  # a result that jsonb cannot hold, for good; or a deferred constraint
            said = f"Postgres refused the completion: {self._failure(error).message}"
            return self._record(
                Failure(type(error).__name__, said), permanent=isinstance(error, psycopg.DataError)
            )
        if ended is None:
            return self._answer_lost({"completed"}, None)
        reach(FaultPoint.COMPLETED)
        if connection is not None:
            _publish_written(connection)
        return self._report("completed", ended, None)

    def _stored_result(self, result: str) -> tuple[str, str | None]:
        """The result as the row keeps it, and the id of the key it is sealed under."""
        if not self._is_sensitive:
            return result, None
        sealed = sealing.seal(result, sealing.result_of(self._delivery.job_id))
        return json.dumps(sealed.body), sealed.key_id

    def _accept_next(self, then: Sequence[Any]) -> None:
        """Accept the next jobs in the job's transaction. Raises InvalidJob, or the error of the first not accepted."""
        if then and self._job is not None:
            from shared import dispatcher  # noqa: PLC0415  # few jobs have a next one

            owner = dispatcher.JobRequest(
                self._job.payload, user_id=self._job.user_id, organization_id=self._job.organization_id
            )
            requests = [
                each if isinstance(each, dispatcher.JobRequest) else replace(owner, payload=each)
                for each in then
            ]
            with self._job.transaction() as connection:
                accepted = dispatcher.enqueue_many(requests, connection=connection)
            for each in accepted:
                if each.error is not None:
                    raise each.error

    def _commit(self, connection: database.Connection, stored: tuple[str, str | None]) -> Ended | None:
        """Commit the handler's writes with `completed`, or neither where the attempt is stale."""

        def commit(open_transaction: database.Connection) -> Ended | None:
            ended = self._write_completed(open_transaction, stored)
            reach(FaultPoint.COMPLETING)
            # RESET: what the handler SET for its session, a role too, is not the next job's.
            end = b"COMMIT; RESET SESSION AUTHORIZATION; RESET ALL" if ended else b"ROLLBACK"
            open_transaction.execute(end)
            return ended

        return database.attempt(commit, connection)

    def _write_completed(
        self, connection: database.Connection, stored: tuple[str, str | None]
    ) -> Ended | None:
        claimed = self._known_claim()
        return executions.complete(connection, claimed.job_id, claimed.attempt, *stored)

    def _cancel(self, reason: str) -> Answer:
        def write(connection: database.Connection, claimed: ClaimedJob) -> Ended | None:
            return executions.cancel_attempt(connection, claimed.job_id, claimed.attempt, reason)

        return self._end(write, {"cancelled"}, reason)

    def _record(
        self, failure: Failure, *, permanent: bool = False, retry_after: float | None = None
    ) -> Answer:
        def write(connection: database.Connection, claimed: ClaimedJob) -> Ended | None:
            return executions.record_failed_attempt(
                connection,
                claimed.job_id,
                claimed.attempt,
                type=failure.type,
                message=failure.message,
                traceback=failure.traceback,
                permanent=permanent,
                retry_after=retry_after,
            )

        return self._end(write, {"retrying", "failed"}, failure.message, retry_after)

    def _give_back(self, error: SecretUnavailable) -> Answer:
        """What is sealed cannot be opened, or the result not sealed. An operator can mend that: it costs no attempt."""
        reason = str(error)
        logger.error("the job waits for a key", extra={"reason": reason})

        def write(connection: database.Connection, claimed: ClaimedJob) -> Ended | None:
            return executions.give_back_attempt(
                connection, claimed.job_id, claimed.attempt, reason, _KEY_SECONDS
            )

        answer = self._end(write, {"retrying"}, reason, _KEY_SECONDS)
        return replace(answer, body={**answer.body, "waits": "for a key"}) if answer.status == 503 else answer

    def _end(
        self,
        write: Callable[[database.Connection, ClaimedJob], Ended | None],
        statuses: Collection[str],
        reason: str,
        retry_after: float | None = None,
    ) -> Answer:
        claimed = self._known_claim()
        if self._job is not None:
            self._job.end()
        ended = database.run(lambda connection: write(connection, claimed))
        if ended is None:
            return self._answer_lost(statuses, reason, retry_after)
        reach(FaultPoint.ATTEMPT_ENDED)
        return self._report(ended.status, ended, reason, retry_after)

    def _answer_lost(
        self, statuses: Collection[str], reason: str | None, retry_after: float | None = None
    ) -> Answer:
        """A guarded write hit no row: it was ours, and its acknowledgement was lost, or the attempt is stale."""
        claimed, standing = self._known_claim(), self._find_standing()
        reach(FaultPoint.STALE)
        if (
            standing is not None
            and standing.status in statuses
            and (standing.attempt, standing.publication)
            == (claimed.attempt, self._delivery.envelope.publication)
        ):
            return self._report(standing.status, None, reason, retry_after)
        return self._answer_standing()

    def _record_timeout(self, timeout: JobTimeout) -> Answer:
        """Cut every connection, which may be in the middle of a command, and record on a fresh one."""
        self._hurried = True
        alarm = Alarm(_RECORDING_SECONDS)
        try:
            alarm.start()
            if self._job is not None:
                self._job.cut()
            database.discard()
            reach(FaultPoint.CONNECTIONS_CUT)
            self._claimed = self._claimed or database.run(self._find_own_claim)
            if self._claimed is None:
                return answers.not_now("timed out before the job was claimed")
            # Its words are the alarm's. What it has interrupted may hang on it, and have words of its own.
            failure = outline(timeout, str(timeout)) if self._is_sensitive else describe(timeout)
            return self._record(failure)
        except (JobTimeout, DatabaseUnavailable, SecretUnavailable, psycopg.Error) as error:
            logger.error(
                "the timeout could not be recorded; the lease's end will be", extra={"reason": words(error)}
            )
            return answers.not_now("Postgres is unreachable")
        finally:
            alarm.stop()

    # --- telling --------------------------------------------------------------------------------------------

    def _report(
        self, status: str, ended: Ended | None, reason: str | None, retry_after: float | None = None
    ) -> Answer:
        """Tell of what has just been committed, and turn it into the answer."""
        said = cut(reason or "")
        reporting.ended(self._config.type, status, None if ended is None else ended.duration, said)
        self._follow_up(status)
        reach(FaultPoint.FOLLOWED_UP)
        match status:
            case "completed":
                return answers.done()
            case "cancelled":
                return answers.done(cancelled=True)
            case "retrying" if retry_after is not None:
                return answers.not_now(said, retry_after)
            case "retrying":
                return answers.failed_attempt(said)
        return answers.dead_letter(said)

    def _follow_up(self, status: str) -> None:
        """Publish what the job's end has set off. The end does not hang on it: reconcile publishes what is left."""
        claimed = self._known_claim()
        told = status == "failed" and claimed.failure_callback is not None
        if self._hurried or not (told or (claimed.batch_id is not None and status != "retrying")):
            return
        try:
            from shared import relay  # noqa: PLC0415  # few jobs ask for it

            if told:
                relay.tell_failures(claimed.job_id)
            if claimed.batch_id is not None:
                relay.publish_completion(claimed.batch_id)
        except (Exception, JobTimeout) as error:  # noqa: BLE001
            logger.warning("left to reconcile", extra={"reason": words(error)})

    @property
    def _is_sensitive(self) -> bool:
        """By its type, or by its row: the type may be marked, or no longer, in newer code than this."""
        sealed = self._claimed is not None and self._claimed.payload_key is not None
        return sealed or self._config.sensitive

    def _failure(self, error: BaseException) -> Failure:
        """An exception as the failure it is recorded as: a sensitive job's without what it says."""
        return outline(error) if self._is_sensitive else describe(error)

    def _known_claim(self) -> ClaimedJob:
        assert self._claimed is not None  # noqa: S101  # nothing is written before the claim
        return self._claimed


def _publish_written(connection: database.Connection) -> None:
    if written := outbox.take(connection):
        from shared import relay  # noqa: PLC0415  # whoever wrote them has imported it

        relay.publish_written(written)
