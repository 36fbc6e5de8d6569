"""One attempt from its delivery to its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import psycopg

from shared import answers, database, lineage, reporting
from shared.alarm import Alarm
from shared.answers import Answer
from shared.delivery.claiming import answer_standing, claim, find_own_claim, insert_scheduled
from shared.delivery.completing import complete
from shared.delivery.ending import cancel, give_back, record
from shared.delivery.running import run
from shared.delivery.state import State
from shared.delivery.telling import report
from shared.envelope import Delivery, Payload
from shared.errors import DatabaseUnavailable, JobTimeout, SecretUnavailable
from shared.failures import Failure, describe, outline, words
from shared.fault_points import FaultPoint, reach
from shared.job import Job
from shared.observability import logger, remember
from shared.outcomes import Cancel, Complete, Fail, Outcome, Retry
from shared.registry import JobConfig

P = TypeVar("P", bound=Payload)

_RECORDING_SECONDS = (
    4.0  # what is left after the timeout until Lambda ends the process, less one for the answer
)


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
        self._state = State(delivery, config, payload, handler, Alarm(min(config.timeout, seconds)))

    def deliver(self) -> Answer:
        """Do all of it and say what to answer. Never raises for anything that a job or its surroundings can do."""
        outer = lineage.parent()  # of a job run inline by another
        try:
            self._state.alarm.start()
            return self._claim_and_run()
        except JobTimeout as timeout:
            self._state.alarm.stop()
            return self._record_timeout(timeout)
        except (DatabaseUnavailable, SecretUnavailable) as error:
            logger.warning("Postgres is unreachable", extra={"reason": str(error)})
            return answers.not_now("Postgres is unreachable")
        except (
            psycopg.Error
        ) as error:  # a schema that is not migrated, a right that is missing: an operator can mend it
            reason = self._state.failure(error).message
            logger.error("Postgres refused; are all migrations applied?", extra={"reason": reason})
            database.discard()
            return answers.not_now("Postgres refused")
        finally:
            self._state.alarm.stop()
            lineage.enter(outer)
            if self._state.job is not None:
                self._state.job.end()

    def _claim_and_run(self) -> Answer:
        state = self._state
        if state.delivery.envelope.job_id is None:
            try:
                is_to_run = database.run(lambda connection: insert_scheduled(state, connection))
            except psycopg.DataError as error:
                logger.error("the scheduled payload cannot be stored", extra={"reason": words(error)})
                return answers.dead_letter("the payload cannot be stored")
            if not is_to_run:
                logger.info("skipped: the schedule's last run is not over")
                return answers.done(skipped=True)
            reach(FaultPoint.RUN_INSERTED)
        claimed = state.claimed = database.run(lambda connection: claim(state, connection)) or database.run(
            lambda connection: find_own_claim(state, connection)
        )
        if claimed is None:
            return answer_standing(state)
        reach(FaultPoint.CLAIMED)
        remember(attempt=claimed.attempt, organization_id=claimed.organization_id)
        if claimed.status == "failed":
            return report(state, "failed", None, claimed.error)
        reporting.received(claimed)
        lineage.enter(claimed.job_id)
        return self._finish(run(state, claimed))

    def _finish(self, outcome: Outcome | Failure | SecretUnavailable) -> Answer:
        """The one place where an outcome becomes a status and an answer."""
        reach(FaultPoint.HANDLED)
        match outcome:
            case Complete(result, then):
                return complete(self._state, result, then)
            case Cancel(reason):
                return cancel(self._state, str(reason))
            case Fail(reason):
                return record(self._state, Failure("Fail", str(reason)), permanent=True)
            case Retry(reason=reason):
                return record(self._state, Failure("Retry", str(reason)), retry_after=outcome.seconds)
            case Failure():
                return record(self._state, outcome)
            case SecretUnavailable():
                return give_back(self._state, outcome)

    def _record_timeout(self, timeout: JobTimeout) -> Answer:
        """Cut every connection, which may be in the middle of a command, and record on a fresh one."""
        state = self._state
        state.hurried = True
        alarm = Alarm(_RECORDING_SECONDS)
        try:
            alarm.start()
            if state.job is not None:
                state.job.cut()
            database.discard()
            reach(FaultPoint.CONNECTIONS_CUT)
            state.claimed = state.claimed or database.run(
                lambda connection: find_own_claim(state, connection)
            )
            if state.claimed is None:
                return answers.not_now("timed out before the job was claimed")
            # Its words are the alarm's. What it has interrupted may hang on it, and have words of its own.
            failure = outline(timeout, str(timeout)) if state.is_sensitive else describe(timeout)
            return record(state, failure)
        except (JobTimeout, DatabaseUnavailable, SecretUnavailable, psycopg.Error) as error:
            logger.error(
                "the timeout could not be recorded; the lease's end will be", extra={"reason": words(error)}
            )
            return answers.not_now("Postgres is unreachable")
        finally:
            alarm.stop()
