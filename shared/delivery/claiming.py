"""Before the handler: the claim, and what is answered where there is none to be had."""

from __future__ import annotations

import json
from typing import Any

from shared import answers, database, executions, sealing
from shared.answers import Answer
from shared.delivery.state import State
from shared.observability import logger
from shared.rows import ClaimedJob, Standing, StoredPayload

LEASE_MARGIN = 10.0  # seconds a lease outlives the job's timeout; Lambda ends the process 5 s after that


def claim(state: State[Any], connection: database.Connection) -> ClaimedJob | None:
    """Take the job for one attempt; None where it is not this delivery's to run."""
    return executions.claim(
        connection,
        state.delivery.job_id,
        state.delivery.envelope.publication,
        lease=state.config.timeout + LEASE_MARGIN,
        message_id=state.delivery.message_id,
        delivery=state.id,
    )


def find_own_claim(state: State[Any], connection: database.Connection) -> ClaimedJob | None:
    """What `claim` did, where it committed and its acknowledgement was lost."""
    return executions.find_own_claim(connection, state.delivery.job_id, state.id)


def insert_scheduled(state: State[Any], connection: database.Connection) -> bool:
    """Make the row of a schedule's run; False where the run is to be skipped."""
    return executions.insert_scheduled(
        connection,
        state.delivery.job_id,
        state.delivery.envelope,
        retries=state.config.retries,
        schedule_id=state.delivery.schedule_id,
        message_id=state.delivery.message_id or "",
        payload=_sealed_on_arrival(state),
    )


def _sealed_on_arrival(state: State[Any]) -> StoredPayload | None:
    """The payload of a schedule that was made before its type was marked as sensitive, and brings it along."""
    envelope = state.delivery.envelope
    terms = envelope.metadata.schedule
    if not state.config.sensitive or (terms is not None and terms.payload_id is not None):
        return None
    sealed = sealing.seal(json.dumps(envelope.payload), sealing.payload_of(state.delivery.job_id))
    return StoredPayload(sealed.body, sealed.key_id, by_reference=True)


def answer_standing(state: State[Any]) -> Answer:
    """Answer by how the job stands, for a delivery that could not claim it or an attempt that lost it."""
    standing = find_standing(state)
    if standing is None:
        logger.error("there is no such job")
        return answers.dead_letter("there is no such job")
    logger.info("not this delivery's to run", extra={"status": standing.status})
    if standing.status in {"completed", "cancelled"}:
        return answers.duplicate()
    if standing.status == "failed":
        return answers.dead_letter("the job has failed")
    if state.delivery.envelope.publication < standing.publication:
        return answers.duplicate()
    return answers.not_now("another attempt holds the job", (standing.lease_left or 0.0) + 1.0)


def find_standing(state: State[Any]) -> Standing | None:
    """How the job stands now."""
    return database.run(lambda connection: executions.find_standing(connection, state.delivery.job_id))
