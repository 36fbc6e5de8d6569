"""The alarms and the dashboard look at metrics that are really emitted, and an alarm goes off for what it is named after."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from infra.local.qstash import QStashServer
from infra.webhooks import Request, as_github
from infra.webhooks.local_secrets import GITHUB
from shared import database
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.errors import PublishRejected
from shared.outcomes import Cancel, Fail, Retry
from shared.worker import job_worker
from tests.artifact.observability import Datum, alarms, emitted_in, shown
from tests.integration.conftest import Accept
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note
from tests.integration.test_healing import callback

pytestmark = pytest.mark.usefixtures("environment", "qstash")
ALARMS = alarms()
Emitted = Callable[[], list[Datum]]


@pytest.fixture
def emitted(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Emitted:
    """What has been emitted since the last look, as on Lambda."""
    environment.setattr("shared.observability.ON_LAMBDA", True)
    return lambda: emitted_in(capsys.readouterr().out)


def deliver(job: Any, outcome: Any = None, token: str | None = None) -> int:
    def run(_job: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    status: int = job_worker(Note)(run)(event(envelope(job), token), Context())["statusCode"]
    return status


def receive(request: Request) -> int:
    """A webhook; the receiver's answer."""
    handler = importlib.import_module("functions.receive_webhook.handler").handler
    asked = event(request.body, "", headers=request.headers)
    asked["rawPath"] = asked["requestContext"]["http"]["path"] = request.path
    asked["requestContext"]["stage"] = "$default"
    status: int = handler(asked, Context())["statusCode"]
    return status


def receive_without_postgres(environment: pytest.MonkeyPatch) -> int:
    database.discard()
    with environment.context() as meanwhile:
        meanwhile.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
        status = receive(as_github("push", {"ref": "refs/heads/main"}, GITHUB))
    database.discard()
    return status


def sweep() -> None:
    importlib.import_module("functions.reconcile.handler").handler({}, Context())


def breaching(seen: list[Datum]) -> set[str]:
    """The alarms that would go off; not those about functions' own metrics or about other types of job."""
    ours = {name: each for name, each in ALARMS.items() if each.properties["Namespace"] == "Posthaste"}
    return {name for name, each in ours.items() if each.breaches(seen)} - {"ScheduleMissed"}


def test_each_metric_that_is_looked_at_is_emitted(
    emitted: Emitted,
    accept: Accept,
    connection: Connection,
    qstash: QStashServer,
    environment: pytest.MonkeyPatch,
) -> None:
    deliver(accept(Note()))
    deliver(accept(Note()), Cancel("no longer wanted"))
    deliver(accept(Note()), ValueError("no luck"))
    deliver(accept(Note()), Fail("for good"))
    deliver(accept(Note()), token="not QStash's")
    deliver(accept(Note()), token="")
    record_failure = importlib.import_module("functions.record_failure.handler")
    assert record_failure.handler(event(callback(accept(Note()))), Context())["statusCode"] == 200
    environment.setenv("GITHUB_WEBHOOK_SECRETS", GITHUB)
    assert receive(as_github("push", {"ref": "refs/heads/main"}, GITHUB)) == 200
    assert receive(as_github("push", {}, "not ours")) == 401
    assert receive(as_github("push", b"no JSON", GITHUB)) == 400
    assert receive_without_postgres(environment) == 503
    qstash.faults.refuse_publish(503)
    enqueue(Note())
    qstash.faults.clear()
    sweep()
    found = {each.metric.with_any("job_type") for each in emitted()}
    wanted = {each.metric for each in ALARMS.values()} | set(shown())
    missing = {
        each for each in wanted if each.namespace == "Posthaste" and each.with_any("job_type") not in found
    }
    assert not missing


def test_nothing_goes_off_while_all_is_well(emitted: Emitted, accept: Accept) -> None:
    for _each in range(30):
        deliver(accept(Note()))
    sweep()
    assert breaching(emitted()) == set()


def test_one_failure_in_thirty_is_a_dead_letter_and_no_rate_to_wake_anybody(
    emitted: Emitted, accept: Accept
) -> None:
    for _each in range(29):
        deliver(accept(Note()))
    deliver(accept(Note()), Fail("for good"))
    sweep()
    seen = emitted()
    assert breaching(seen) == {"DeadLetters", "DeadLettersLeft"}
    deliver(accept(Note()), Fail("for good"))
    assert "FailedRate" in breaching(seen + emitted())


def test_failures_alone_are_a_rate_too(emitted: Emitted, accept: Accept) -> None:
    deliver(accept(Note()), Fail("for good"))
    assert "FailedRate" in breaching(emitted())


@pytest.mark.parametrize("outcome", [ValueError("no luck"), Retry(after=60), Cancel("unwanted")])
def test_what_is_no_failed_job_does_not_count_as_one(emitted: Emitted, accept: Accept, outcome: Any) -> None:
    deliver(accept(Note()), outcome)
    sweep()
    assert breaching(emitted()) == set()


def test_a_job_that_the_sweep_cannot_heal_is_stuck(
    emitted: Emitted, accept: Accept, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    accept(Note())
    connection.execute(
        "UPDATE job_executions SET status = 'processing', attempt = 1, started_at = now() - interval '11 minutes', "
        "lease_expires_at = now() - interval '1 second'"
    )
    environment.setattr("functions.reconcile.handler._give_back_expired", lambda: 0)
    sweep()
    assert breaching(emitted()) == {"StuckJobs", "NoAttempts"}


def test_a_due_job_that_nobody_delivers_is_told_after_five_minutes(
    emitted: Emitted, accept: Accept, connection: Connection
) -> None:
    accept(Note())
    for minutes, told in ((4, set()), (6, {"OldestPending"})):
        connection.execute(
            "UPDATE job_executions SET created_at = now() - make_interval(mins => %s)", [minutes]
        )
        sweep()
        assert breaching(emitted()) == {"NoAttempts"} | told


def test_strangers_are_normal_and_keys_that_do_not_match_are_told(emitted: Emitted, accept: Accept) -> None:
    job = accept(Note())
    for _each in range(10):
        deliver(job, token="not QStash's")
    seen = emitted()
    assert "SignaturesRejected" not in breaching(seen)
    assert deliver(job, token="not QStash's") == 401
    assert "SignaturesRejected" in breaching(seen + emitted())


def test_requests_without_any_signature_wake_nobody(emitted: Emitted, accept: Accept) -> None:
    """Otherwise each `make doctor`, which calls every endpoint, would."""
    job = accept(Note())
    record_failure = importlib.import_module("functions.record_failure.handler")
    for _each in range(15):
        assert deliver(job, token="") == 401
        assert record_failure.handler(event(callback(job), ""), Context())["statusCode"] == 401
    seen = emitted()
    assert "SignaturesRejected" not in breaching(seen)
    assert (
        len([each for each in seen if each.metric.name == "Unsigned" and len(each.metric.dimensions) == 1])
        == 30
    )


def test_a_message_that_qstash_refuses_is_a_dead_letter_too(
    emitted: Emitted, qstash: QStashServer, environment: pytest.MonkeyPatch
) -> None:
    qstash.faults.refuse_publish(400)
    with pytest.raises(PublishRejected):
        enqueue(Note())
    qstash.faults.clear()
    assert {"DeadLetters", "FailedRate"} <= breaching(emitted())


def test_a_sender_whose_secret_is_not_ours_is_told(emitted: Emitted, environment: pytest.MonkeyPatch) -> None:
    for _each in range(10):
        assert receive(as_github("ping", {}, "not ours")) == 401
    seen = emitted()
    assert "WebhooksUnsigned" not in breaching(seen)
    receive(as_github("ping", {}, "not ours"))
    assert "WebhooksUnsigned" in breaching(seen + emitted())


def test_events_that_cannot_be_recorded_are_told(emitted: Emitted, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GITHUB_WEBHOOK_SECRETS", GITHUB)
    assert receive_without_postgres(environment) == 503
    assert "WebhooksNotReceived" in breaching(emitted())


def test_a_qstash_that_takes_nothing_is_told(emitted: Emitted, qstash: QStashServer) -> None:
    qstash.faults.refuse_publish(503)
    enqueue(Note())
    assert "PublishFailed" in breaching(emitted())
    qstash.faults.clear()


def test_silence_is_told_only_where_there_should_be_a_sound(emitted: Emitted) -> None:
    assert {name for name, each in ALARMS.items() if each.breaches([])} == {
        "SweepMissing",
        "NoAttempts",
        "ScheduleMissed",
    }


def test_a_slow_job_type_is_told_by_its_name(emitted: Emitted, accept: Accept) -> None:
    deliver(accept(Note()))
    seen = emitted()
    (duration,) = (each for each in seen if each.metric == ALARMS["CrmMatchSlow"].metric)
    assert duration.value < 5
    assert breaching([*seen, Datum(duration.metric, 70)]) == {"CrmMatchSlow", "SweepMissing"}
