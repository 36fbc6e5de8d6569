"""The end of an attempt that went well: its writes, its next jobs and `completed`, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from pydantic_core import to_jsonable_python

from shared import database, executions, outbox, sealing
from shared.answers import Answer
from shared.delivery.ending import answer_lost, give_back, record
from shared.delivery.state import State
from shared.delivery.telling import report
from shared.errors import DatabaseUnavailable, SecretUnavailable
from shared.failures import Failure
from shared.fault_points import FaultPoint, reach
from shared.rows import Ended


def complete(state: State[Any], result: Any, then: Sequence[Any]) -> Answer:
    """Write `completed`, with what the handler wrote and the jobs that come next, and tell of it."""
    try:
        stored = json.dumps(to_jsonable_python(result, by_alias=True), allow_nan=False)
        _accept_next(state, then)
        connection = state.job.open_transaction if state.job else None
    except (DatabaseUnavailable, psycopg.Error) as error:  # the next jobs could not be written now
        return record(state, state.failure(error))
    except SecretUnavailable as error:  # the next jobs are sensitive
        return give_back(state, error)
    except Exception as error:  # noqa: BLE001  # a generator in the result runs the handler's code
        failure = state.failure(error)
        message = f"the handler's outcome cannot be recorded: {failure.message}"
        return record(state, Failure(failure.type, message, failure.traceback), permanent=True)
    return _write_completion(state, connection, stored)


def _write_completion(state: State[Any], connection: database.Connection | None, result: str) -> Answer:
    try:
        stored = _stored_result(state, result)
    except SecretUnavailable as error:
        return give_back(state, error)
    try:
        if connection is None:
            ended = database.run(lambda kept: _write_completed(state, kept, stored))
        else:
            ended = _commit(state, connection, stored)
    except DatabaseUnavailable:
        if connection is None:
            raise
        return record(
            state, Failure("DatabaseUnavailable", "Postgres went away before the transaction's commit")
        )
    except psycopg.Error as error:  # a result that jsonb cannot hold, for good; or a deferred constraint
        said = f"Postgres refused the completion: {state.failure(error).message}"
        return record(
            state, Failure(type(error).__name__, said), permanent=isinstance(error, psycopg.DataError)
        )
    if ended is None:
        return answer_lost(state, {"completed"}, None)
    reach(FaultPoint.COMPLETED)
    if connection is not None:
        _publish_written(connection)
    return report(state, "completed", ended, None)


def _stored_result(state: State[Any], result: str) -> tuple[str, str | None]:
    """The result as the row keeps it, and the id of the key it is sealed under."""
    if not state.is_sensitive:
        return result, None
    sealed = sealing.seal(result, sealing.result_of(state.delivery.job_id))
    return json.dumps(sealed.body), sealed.key_id


def _accept_next(state: State[Any], then: Sequence[Any]) -> None:
    """Accept the next jobs in the job's transaction. Raises InvalidJob, or the error of the first not accepted."""
    if then and state.job is not None:
        from shared import dispatcher  # noqa: PLC0415  # few jobs have a next one

        owner = dispatcher.JobRequest(
            state.job.payload, user_id=state.job.user_id, organization_id=state.job.organization_id
        )
        requests = [
            each if isinstance(each, dispatcher.JobRequest) else replace(owner, payload=each) for each in then
        ]
        with state.job.transaction() as connection:
            accepted = dispatcher.enqueue_many(requests, connection=connection)
        for each in accepted:
            if each.error is not None:
                raise each.error


def _commit(
    state: State[Any], connection: database.Connection, stored: tuple[str, str | None]
) -> Ended | None:
    """Commit the handler's writes with `completed`, or neither where the attempt is stale."""

    def commit(open_transaction: database.Connection) -> Ended | None:
        ended = _write_completed(state, open_transaction, stored)
        reach(FaultPoint.COMPLETING)
        # RESET: what the handler SET for its session, a role too, is not the next job's.
        end = b"COMMIT; RESET SESSION AUTHORIZATION; RESET ALL" if ended else b"ROLLBACK"
        open_transaction.execute(end)
        return ended

    return database.attempt(commit, connection)


def _write_completed(
    state: State[Any], connection: database.Connection, stored: tuple[str, str | None]
) -> Ended | None:
    claimed = state.known_claim()
    return executions.complete(connection, claimed.job_id, claimed.attempt, *stored)


def _publish_written(connection: database.Connection) -> None:
    if written := outbox.take(connection):
        from shared import relay  # noqa: PLC0415  # whoever wrote them has imported it

        relay.publish_written(written)
