"""A job must get through, and nothing be left lying."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
import psycopg

from infra.deployment.doctor.target import Target
from infra.deployment.probes.wrong import Works, Wrong
from infra.schedules.stack import entered
from shared import database, executions
from shared.dispatcher import cancel, enqueue
from shared.errors import PosthasteError
from shared.jobs.ping import Ping
from shared.rows import Execution

_SECONDS_TO_ARRIVE = 60.0
_SECONDS_BETWEEN = 0.2
_WAITED_TOO_LONG = 300  # seconds


def send_ping(target: Target, seconds: float = _SECONDS_TO_ARRIVE) -> Works:
    """Enqueue a `ping` and wait until it has completed. Raises Wrong, and the job is cancelled."""
    with entered(target.variables):
        started = time.monotonic()
        try:
            job_id = enqueue(Ping(), retries=0)
            job = _wait(job_id, started + seconds)
            taken = time.monotonic() - started
            if job.status == "completed":
                return Works(f"delivered and completed in {taken:.1f} s (job {job_id})")
            with suppress(PosthasteError):
                cancel(job_id, "make doctor no longer waits for it")
        except (PosthasteError, psycopg.Error) as error:
            raise Wrong(f"no job can be enqueued: {error}", "see the lines above") from None
        finally:
            database.discard()
    raise _why_not(target, job, seconds)


def look_at_queue(target: Target) -> Works:
    """What waits, is stuck, or has failed for good. Raises Wrong."""
    with entered(target.variables):
        try:
            gauges = database.run(executions.measure_queue)
        except (PosthasteError, psycopg.Error) as error:
            raise Wrong(str(error).splitlines()[0], target.make("secrets")) from None
        finally:
            database.discard()
    warnings = []
    if gauges.dead_letters:
        wait = "dead letter waits" if gauges.dead_letters == 1 else "dead letters wait"
        warnings.append(f"{gauges.dead_letters} {wait} for a replay (docs/operations.md)")
    if gauges.stuck:
        warnings.append(
            f"{gauges.stuck} jobs outlived their lease by minutes: does {target.log_of('reconcile')} show the sweep?"
        )
    if gauges.oldest_pending > _WAITED_TOO_LONG:
        warnings.append(
            f"the oldest job has waited {gauges.oldest_pending:.0f} s, {gauges.unpublished} are not at QStash yet"
        )
    return Works(f"{gauges.depth or 'no'} jobs wait", warnings)


def _wait(job_id: UUID, ends_at: float) -> Execution:
    while True:
        job = database.run(lambda connection: executions.find(connection, job_id))
        if job is None:
            raise PosthasteError(f"job {job_id} has vanished")
        if job.completed_at is not None or job.publication > 1 or time.monotonic() > ends_at:
            return job
        time.sleep(_SECONDS_BETWEEN)


def _why_not(target: Target, job: Execution, seconds: float) -> Wrong:
    if job.status == "failed":
        return Wrong(f"the ping failed: {job.error}", target.log_of("ping"))
    if job.publication > 1:
        return Wrong(f"QStash gave the ping up: {job.error}", _after(_status(job.error or ""), target))
    waited = f"the ping has not completed in {seconds:.0f} s"
    if job.status == "processing":
        return Wrong(f"{waited}: it is being run", f"{target.log_of('ping')} says what it waits for")
    if job.published_at is None:
        return Wrong(f"{waited}: QStash has not taken it", "see the line about qstash")
    event = _last_delivery(target, job.qstash_message_id or "")
    status = event.get("responseStatus")
    if status is None and not event.get("error"):
        return Wrong(
            f"{waited}: QStash has not delivered it yet",
            "look at its log in the Upstash console, and come again",
        )
    answer = f"{status}" if status else str(event.get("error"))
    return Wrong(f"{waited}: QStash called {event.get('url')} and got {answer}", _after(status, target))


def _status(error: str) -> int | None:
    """The status that QStash got, in the words in which a lost delivery is recorded."""
    found = re.search(r"\b([1-5]\d\d)\b", error)
    return int(found[1]) if found else None


def _after(status: int | None, target: Target) -> str:
    if status == 401:
        return (
            f"the function took it for a forgery: are the signing keys QStash's ({target.make('secrets')}), and does "
            "QStash call the URL that the function has (behind a proxy: ENDPOINT_URL)?"
        )
    if status == 503:
        return f"the function cannot reach Postgres or its secrets: {target.log_of('ping')} says which"
    return f"{target.log_of('ping')} says why"


def _last_delivery(target: Target, message_id: str) -> dict[str, Any]:
    """The latest that QStash logged of a delivery; empty where it does not say."""
    headers = {"Authorization": f"Bearer {target.entries['QSTASH_TOKEN']}"}
    try:
        answer = httpx.get(
            f"{target.qstash_url}/v2/events", params={"messageId": message_id}, headers=headers, timeout=10
        )
        events: list[dict[str, Any]] = answer.json()["events"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return {}
    tried = [each for each in events if each.get("responseStatus") or each.get("error")]
    return max(tried, key=lambda each: int(each.get("time", 0)), default={})
