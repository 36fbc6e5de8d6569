"""An event is recorded once and has one job, however often and wherever it arrives."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.webhooks import Request, custom_events, github_events, local_senders, resend_events, stripe_events
from shared import database
from tests.integration import delivering
from tests.integration.webhooks.stage import Stage
from tests.integration.workers.conftest import Runner

# Signed when they are sent: a signature lives five minutes, and the tests before these may take longer.
SOURCES: dict[str, tuple[Callable[[], Request], str]] = {
    "stripe": (lambda: local_senders.stripe(stripe_events.Purchase().event("invoice.paid", event_id="evt_once")), "evt_once"),
    "ignored": (lambda: local_senders.stripe(stripe_events.Purchase().event("charge.updated", event_id="evt_ignored")), "evt_ignored"),
    "resend": (lambda: local_senders.resend(resend_events.event(), message_id="msg_once"), "msg_once"),
    "github": (lambda: local_senders.github("push", github_events.event(), delivery="delivery-once"), "delivery-once"),
    "accounting": (lambda: local_senders.accounting(custom_events.invoice_imported(), message_id="m-once"), "m-once"),
}  # fmt: skip
AT_ONCE = 6


@pytest.mark.parametrize(("sign", "event_id"), SOURCES.values(), ids=SOURCES)
def test_sent_again(stage: Stage, sign: Callable[[], Request], event_id: str) -> None:
    request = sign()
    first, second = stage.send(request), stage.send(request)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == {"ok": True, "duplicate": True}
    assert len(stage.events(event_id)) == 1
    assert len(stage.jobs(event_id)) == (0 if event_id == "evt_ignored" else 1)


def test_sent_at_the_same_moment_to_several_lambdas(stage: Stage) -> None:
    """The first to insert its row holds the others up until it has committed."""
    for round_ in range(5):
        event = stripe_events.Purchase().event("invoice.paid", event_id=f"evt_at_once_{round_}")
        request = local_senders.stripe(event)
        with ThreadPoolExecutor(AT_ONCE) as senders:
            answers = list(senders.map(lambda _each, sent=request: stage.send(sent), range(AT_ONCE)))
        assert {answer.status_code for answer in answers} == {200}
        assert sum("duplicate" not in answer.json() for answer in answers) == 1
        (row,), (job,) = stage.events(event["id"]), stage.jobs(event["id"])
        assert (row["status"], row["job_id"]) == ("queued", job["job_id"])
    assert len(stage.functions.pids("receive-webhook")) > 1


def test_the_second_of_two_waits_for_the_first_to_be_committed_or_gone(stage: Stage) -> None:
    """What it answers is then true: here the first one vanishes, and the second one is recorded."""
    event = stripe_events.Purchase().event("invoice.paid", event_id="evt_waits")
    with ThreadPoolExecutor(1) as sender:
        with stage.connection.transaction(force_rollback=True):
            stage.connection.execute(
                "INSERT INTO app.webhook_events (source, event_id, event_type, payload) VALUES ('stripe', 'evt_waits', 'x', '{}')"
            )
            answer = sender.submit(stage.send, local_senders.stripe(event))
            # Not pg_stat_activity: within a transaction it stays as it was at first sight.
            while not stage.connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                assert not answer.done()
        assert answer.result().json() == {"ok": True}
    assert len(stage.jobs("evt_waits")) == 1


def test_one_that_is_held_up_too_long_is_to_be_sent_again(stage: Stage) -> None:
    event = stripe_events.Purchase().event("invoice.paid", event_id="evt_held_up")
    request = local_senders.stripe(event)
    with stage.connection.transaction(force_rollback=True):
        stage.connection.execute(
            "INSERT INTO app.webhook_events (source, event_id, event_type, payload) VALUES ('stripe', 'evt_held_up', 'x', '{}')"
        )
        assert stage.send(request).status_code == 503
    assert stage.send(request).json() == {"ok": True}


def test_two_senders_may_use_the_same_id(stage: Stage) -> None:
    sent = custom_events.document_scanned(scan_id="same")
    requests = [
        local_senders.accounting(custom_events.invoice_imported(), message_id="same"),
        local_senders.scanner(sent),
        local_senders.resend(resend_events.event(), message_id="same"),
        local_senders.github("push", github_events.event(), delivery="same"),
    ]
    assert [stage.send(request).json() for request in requests] == [{"ok": True}] * 4
    assert len(stage.events("same")) == len(stage.jobs("same")) == 4


# --- what became of the first one ---------------------------------------------------------------------------


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """Delivers a job of the stage to its worker."""
    for name, value in stage.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", delivering.CURRENT_KEY)
    monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", delivering.NEXT_KEY)
    yield Runner(stage.connection)
    database.discard()


@pytest.fixture
def process_webhook(run: Runner) -> Any:
    return importlib.import_module("functions.process_webhook.handler").handler


def bounce_to(address: str, message_id: str) -> Request:
    return local_senders.resend(resend_events.event(to=address), message_id=message_id)


def test_the_job_applies_the_receivers_row(stage: Stage, run: Runner, process_webhook: Any) -> None:
    assert stage.send(bounce_to("gone@example.com", "msg_applied")).json() == {"ok": True}
    (before,) = stage.events("msg_applied")
    assert run.deliver(process_webhook, before["job_id"]) == 200
    (after,) = stage.events("msg_applied")
    assert (after["status"], after["processed_at"] is not None) == ("processed", True)
    kept = ("payload", "ip", "user_agent", "occurred_at", "received_at", "job_id")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert stage.send(bounce_to("gone@example.com", "msg_applied")).json() == {"ok": True, "duplicate": True}
    assert len(stage.jobs("msg_applied")) == 1


def test_one_whose_job_has_failed_runs_again_when_it_is_sent_again(
    stage: Stage, run: Runner, process_webhook: Any
) -> None:
    """Who sends an event by hand, from the sender's dashboard, wants it applied after all."""
    request = bounce_to("no address", "msg_failed")
    assert stage.send(request).json() == {"ok": True}
    (job,) = stage.jobs("msg_failed")
    assert run.deliver(process_webhook, job["job_id"]) == 489
    assert (stage.events("msg_failed")[0]["status"], stage.jobs("msg_failed")[0]["status"]) == (
        "failed",
        "failed",
    )
    with ThreadPoolExecutor(2) as senders:
        answers = list(senders.map(lambda _each: stage.send(request).json(), range(2)))
    assert sorted(answers, key=len) == [{"ok": True}, {"ok": True, "duplicate": True}]
    (event,), (again,) = stage.events("msg_failed"), stage.jobs("msg_failed")
    assert (event["status"], event["error"], event["job_id"]) == ("queued", None, job["job_id"])
    assert (again["status"], again["run"], again["published_at"] is not None) == ("pending", 2, True)


def test_one_whose_job_was_cancelled_stays_so(stage: Stage) -> None:
    request = bounce_to("cancelled@example.com", "msg_cancelled")
    assert stage.send(request).json() == {"ok": True}
    stage.connection.execute(
        "UPDATE job_executions SET status = 'cancelled', completed_at = now() WHERE payload ->> 'eventId' = 'msg_cancelled'"
    )
    assert stage.send(request).json() == {"ok": True, "duplicate": True}
    assert stage.jobs("msg_cancelled")[0]["status"] == "cancelled"


def test_one_whose_job_retention_has_deleted_gets_another(stage: Stage) -> None:
    request = bounce_to("deleted@example.com", "msg_deleted")
    assert stage.send(request).json() == {"ok": True}
    stage.connection.execute("DELETE FROM job_executions WHERE payload ->> 'eventId' = 'msg_deleted'")
    assert stage.send(request).json() == {"ok": True}
    (event,), (job,) = stage.events("msg_deleted"), stage.jobs("msg_deleted")
    assert event["job_id"] == job["job_id"]


@pytest.mark.parametrize("is_same", [True, False], ids=["the same", "another body"])
def test_one_whose_row_was_deleted_is_applied_again(
    stage: Stage, run: Runner, process_webhook: Any, is_same: bool
) -> None:
    """As the guide says where an ignored event is to be applied after all; its first job must not stand in the way."""
    message_id = f"msg_row_deleted_{is_same}"
    request = bounce_to("apply@example.com", message_id)
    assert stage.send(request).json() == {"ok": True}
    assert run.deliver(process_webhook, stage.events(message_id)[0]["job_id"]) == 200
    stage.connection.execute("DELETE FROM app.webhook_events WHERE event_id = %s", [message_id])
    again = request if is_same else bounce_to("other@example.com", message_id)
    assert stage.send(again).json() == {"ok": True}
    (event,) = stage.events(message_id)
    assert [job["status"] for job in stage.jobs(message_id)] == ["completed", "pending"]
    assert run.deliver(process_webhook, event["job_id"]) == 200
    assert stage.events(message_id)[0]["status"] == "processed"


def test_there_is_no_event_without_its_job_and_none_with_two(stage: Stage) -> None:
    """Of all that the tests here have sent, save what they have deleted themselves."""
    lost = stage.connection.execute(
        "SELECT event_id FROM app.webhook_events AS event WHERE status = 'queued' AND NOT EXISTS "
        "(SELECT FROM job_executions AS job WHERE job.job_id = event.job_id)"
    ).fetchall()
    assert lost == []
