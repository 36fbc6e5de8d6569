"""A handler run once, as production would."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from shared import dispatcher
from shared.dispatcher import JobRequest
from shared.errors import DatabaseUnavailable, InvalidJob, JobTimeout, SecretUnavailable, UnknownJobType
from shared.jobs.ping import Ping
from shared.outcomes import Cancel, Complete, Fail, Retry
from shared.testing import Jobs
from shared.worker import Job, job_worker
from tests.integration.kit.conftest import Connection
from tests.integration.kit.notes import Bell, Note, Secret


class Written(BaseModel):
    words: int
    by: str


def test_a_handler_is_run_on_a_recorded_job_and_its_result_goes_through_json(jobs: Jobs) -> None:
    seen: list[Job[Note]] = []

    def handler(job: Job[Note]) -> Written:
        seen.append(job)
        job.progress(1, 2, "half")
        return Written(words=2, by=job.payload.author.name)

    performed = jobs.perform(
        Note(text="hi you"), handler, user_id=7, organization_id=3, idempotency_key="k", retries=1
    )

    assert (performed.status, performed.result) == ("completed", {"words": 2, "by": "Ada"})
    assert (performed.attempt, performed.max_attempts, performed.error, performed.retry_after) == (
        1,
        2,
        None,
        None,
    )
    (job,) = seen
    assert (job.id, job.user_id, job.organization_id, job.idempotency_key) == (performed.job_id, 7, 3, "k")
    stands = jobs.assert_enqueued(Note, status="completed", text="hi you")
    assert (stands.result, stands.progress["message"]) == (performed.result, "half")
    assert jobs.qstash.messages == []  # it was delivered, not published


@pytest.mark.parametrize(
    ("returned", "attempt", "status", "error", "retry_after"),
    [
        (Complete({"made": 1}), 1, "completed", None, None),
        (Cancel("sold"), 1, "cancelled", "sold", None),
        (Fail("no such home"), 1, "failed", "no such home", None),
        (Retry(after=60, reason="slow down"), 1, "retrying", "slow down", 60),
        (Retry(after=60, reason="slow down"), 4, "failed", "slow down", None),
    ],
)
def test_each_outcome_is_told(
    jobs: Jobs, returned: Any, attempt: int, status: str, error: str | None, retry_after: float | None
) -> None:
    performed = jobs.perform(Note(), lambda _job: returned, attempt=attempt)
    assert (performed.status, performed.attempt, performed.error, performed.retry_after) == (
        status,
        attempt,
        error,
        retry_after,
    )
    assert performed.returned == returned
    if status != "completed":
        with pytest.raises(
            AssertionError, match=f"there is no result: .* is {status} after attempt {attempt} of 4"
        ):
            _ = performed.result


def broken(_job: Job[Note]) -> None:
    raise ConnectionError("the provider is down")


def test_what_a_handler_raises_is_raised_once_it_is_recorded(jobs: Jobs) -> None:
    with pytest.raises(ConnectionError, match="the provider is down"):
        jobs.perform(Note(), broken)
    (job,) = jobs.enqueued(Note, status="retrying")
    assert (job.error, job.errors[0]["type"]) == ("the provider is down", "ConnectionError")


@pytest.mark.parametrize(("attempt", "status", "retry_after"), [(1, "retrying", 12.18), (4, "failed", None)])
def test_or_only_recorded(jobs: Jobs, attempt: int, status: str, retry_after: float | None) -> None:
    performed = jobs.perform(Note(), broken, attempt=attempt, catch=True)
    assert (performed.status, performed.retry_after) == (status, retry_after)
    assert isinstance(performed.exception, ConnectionError)


def test_a_timeout_comes_from_within(jobs: Jobs) -> None:
    waiting = threading.Event()

    def endless(_job: Job[Note]) -> None:
        waiting.wait(30)

    with pytest.raises(JobTimeout, match=r"timed out after 0.1 s"):
        jobs.perform(Note(), endless, seconds=0.1)
    performed = jobs.perform(Note(), endless, seconds=0.1, catch=True)
    assert (performed.status, performed.error) == ("retrying", "timed out after 0.1 s")


@pytest.mark.parametrize("catch", [False, True])
def test_a_result_that_is_no_json_is_an_error(jobs: Jobs, catch: bool) -> None:
    def perform() -> Any:
        return jobs.perform(Note(), lambda _job: object(), catch=catch)

    if catch:
        assert perform().status == "failed"
    else:
        with pytest.raises(
            AssertionError, match="is failed after attempt 1 of 4: the handler's outcome cannot be"
        ):
            perform()


def test_a_payload_that_is_no_json_is_refused_and_nothing_written(jobs: Jobs) -> None:
    wrong = Note().model_copy(update={"text": object()})
    with pytest.raises(InvalidJob, match="Note: payload: cannot be sent as JSON"):
        jobs.perform(wrong, lambda _job: None)
    jobs.refute_enqueued()


def test_an_attempt_that_is_never_made_is_refused(jobs: Jobs) -> None:
    for attempt, retries in ((5, None), (0, None), (2, 0)):
        with pytest.raises(ValueError, match="attempt must be 1 to"):
            jobs.perform(Note(), lambda _job: None, attempt=attempt, retries=retries)
    jobs.refute_enqueued()


def test_next_jobs_and_those_the_handler_enqueues_are_told(jobs: Jobs) -> None:
    def handler(job: Job[Note]) -> Complete:
        with job.transaction() as connection:
            dispatcher.enqueue(Bell(rings=1), connection=connection)
        return Complete(then=[Bell(rings=2), JobRequest(Note(text="later"), delay=60)])

    performed = jobs.perform(Note(), handler, organization_id=3)
    assert [each.job_type for each in performed.enqueued] == ["ping", "ping", "crm-match"]
    assert [(each.organization_id, each.delay) for each in performed.enqueued] == [
        (None, None),
        (3, None),
        (None, 60),
    ]
    assert jobs.assert_enqueued(Bell, rings=2).organization_id == 3


@pytest.mark.parametrize(("ends", "visits"), [(Complete(), 1), (Fail("no"), 0), (Retry(after=1), 0)])
def test_a_handlers_writes_are_there_exactly_when_it_completes(
    jobs: Jobs, connection: Connection, ends: Any, visits: int
) -> None:
    connection.execute("TRUNCATE visits")

    def handler(job: Job[Note]) -> Any:
        with job.transaction() as within:
            within.execute("INSERT INTO visits VALUES (%s)", [job.payload.text])
        return ends

    jobs.perform(Note(), handler)
    assert len(connection.execute("SELECT FROM visits").fetchall()) == visits


def test_an_attempt_that_is_cancelled_meanwhile_is_no_surprise(jobs: Jobs) -> None:
    def handler(job: Job[Note]) -> bool:
        dispatcher.cancel(job.id)
        return job.cancelled

    performed = jobs.perform(Note(), handler)
    assert (performed.status, performed.returned) == ("cancelled", True)


def test_a_sensitive_result_is_opened(jobs: Jobs) -> None:
    performed = jobs.perform(Secret(), lambda job: {"ssn": job.payload.ssn})
    assert performed.result == {"ssn": "078-05-1120"}


def test_without_its_key_a_sensitive_job_says_so(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher.enqueue(Secret())
    monkeypatch.setenv("PAYLOAD_KEYS", "other:" + "A" * 43)
    jobs.use(Secret, lambda _job: None)
    with pytest.raises(SecretUnavailable, match="PAYLOAD_KEYS has no key 'testing'"):
        jobs.drain(Secret)
    monkeypatch.undo()


def test_a_worker_is_taken_as_it_is_or_found_by_its_name(jobs: Jobs) -> None:
    worker = job_worker(Note)(lambda job: job.payload.text)
    assert jobs.perform(Note(text="hi"), worker).result == "hi"
    assert jobs.perform(Ping()).status == "completed"


def test_a_function_that_is_not_here_is_named_and_what_to_do(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "functions.crm_match.handler", None)
    with pytest.raises(
        UnknownJobType, match=r"functions\.crm_match\.handler.*: jobs\.use\(CrmMatch, handler\)"
    ):
        jobs.perform(Note())


def test_that_postgres_refused_is_raised(jobs: Jobs, connection: Connection) -> None:
    def renaming(to: str, name: str) -> Callable[[], object]:
        return lambda: connection.execute(f"ALTER TABLE job_executions RENAME COLUMN {name} TO {to}".encode())

    def handler(_job: Job[Note]) -> None:
        renaming("ended_at", "completed_at")()

    try:
        with pytest.raises(DatabaseUnavailable, match="Postgres refused; the logger 'posthaste' says why"):
            jobs.perform(Note(), handler)
    finally:
        renaming("completed_at", "ended_at")()


def test_with_the_key_of_a_job_that_waits_it_runs_that_and_of_one_that_has_ended_nothing(jobs: Jobs) -> None:
    first = jobs.perform(Note(), lambda _job: Retry(after=1), idempotency_key="k")
    second = jobs.perform(Note(), lambda _job: "done", idempotency_key="k")
    assert (second.job_id, second.attempt, second.result) == (first.job_id, 2, "done")
    with pytest.raises(ValueError, match=f"job {first.job_id}, which is completed: nothing would run"):
        jobs.perform(Note(), lambda _job: "again", idempotency_key="k")
