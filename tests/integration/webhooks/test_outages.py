"""Postgres or QStash is away: nothing that was answered with a 2xx is lost, and what was not is sent again."""

from __future__ import annotations

import importlib
import math
import time
from typing import Any

import httpx
import pytest

from functions.receive_webhook import keys
from infra.webhooks import as_github, github_events, local_senders, stripe_events
from shared import database, dispatcher, executions, publishing, relay, secrets
from shared.database import Connection
from shared.errors import InvalidSignature
from shared.publishing import client
from shared.settings import DispatcherSettings
from tests.integration.jobs import Note
from tests.integration.webhooks.stage import Stage, silent_port


def paid() -> tuple[Any, str]:
    event = stripe_events.event("invoice.paid")
    return local_senders.stripe(event), event["id"]


def test_without_postgres_the_sender_is_told_to_try_again(stage: Stage) -> None:
    request, event_id = paid()
    answer = stage.send(request, to="without-postgres")
    assert (answer.status_code, answer.json()) == (503, {"error": "not now: send it again"})
    assert stage.send(request).json() == {"ok": True}
    assert len(stage.jobs(event_id)) == 1


def test_without_postgres_a_wrong_signature_is_still_one(stage: Stage) -> None:
    request = as_github("push", github_events.event(), "guessed")
    assert stage.send(request, to="without-postgres").status_code == 401


@pytest.mark.parametrize("function", ["without-qstash", "with-a-silent-qstash"])
def test_without_qstash_the_event_is_taken_and_its_job_waits_in_the_outbox(
    stage: Stage, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, event_id = paid()
    assert stage.send(request, to=function).json() == {"ok": True}
    (event,), (job,) = stage.events(event_id), stage.jobs(event_id)
    assert (event["status"], job["status"], job["published_at"]) == ("queued", "pending", None)
    assert stage.send(request, to=function).json() == {"ok": True, "duplicate": True}
    for name, value in stage.environment.items():
        monkeypatch.setenv(name, value)
    stage.connection.execute("UPDATE job_executions SET publish_after = now() WHERE published_at IS NULL")
    relay.publish_unpublished(1_000, math.inf)  # QStash is back, and the sweep comes
    database.discard()
    assert stage.jobs(event_id)[0]["published_at"] is not None


# --- the two seconds ----------------------------------------------------------------------------------------


def test_a_publish_takes_no_longer_than_it_may(
    connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    """QStash takes the connection and says nothing; without the limit that takes 5 s."""
    with silent_port() as port:
        environment.setenv("QSTASH_URL", f"http://127.0.0.1:{port}")
        started = time.monotonic()
        with dispatcher.transaction(database.connection(), publish_within=0.2) as own:
            job_id = dispatcher.enqueue(Note(), connection=own)
        assert time.monotonic() - started < 3
    found = executions.find(connection, job_id)
    assert found is not None
    assert (found.status, found.published_at) == ("pending", None)


def test_what_is_left_of_the_time_is_asked_for_before_each_step(environment: pytest.MonkeyPatch) -> None:
    settings = DispatcherSettings.load()
    with publishing.within(1.0):
        request = httpx.Request("POST", settings.qstash_url)
        request.extensions["timeout"] = {"connect": 2.0, "read": 5.0, "write": 5.0, "pool": 5.0}
        client._cut_short(request)
        timeouts = request.extensions["timeout"]
        assert 0.5 < timeouts.get("read") <= 1.0
        assert timeouts.get("connect") <= timeouts.get("read") + 1e-3
    with publishing.within(-1.0):
        assert timeouts.get("read") == 0.001
    client._cut_short(request)
    assert timeouts.get("read") == 5.0  # outside of the block, as ever


# --- keys that are rotated while a process runs -------------------------------------------------------------


def test_keys_are_read_anew_when_none_fits_but_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, reads = ["old"], []

    def read(_arn: str) -> str:
        reads.append(stored[0])
        return f'{{"GITHUB_WEBHOOK_SECRETS": "{stored[0]}"}}'

    def verify() -> None:
        if "new" not in keys.of("GITHUB_WEBHOOK_SECRETS"):
            raise InvalidSignature("no key made this signature")

    monkeypatch.delenv("GITHUB_WEBHOOK_SECRETS", raising=False)
    monkeypatch.setenv("WEBHOOKS_SECRET_ARN", "arn")
    monkeypatch.setattr(secrets, "_secret_string", read)
    with pytest.raises(InvalidSignature):
        keys.current(verify)
    stored[0] = "new"
    with pytest.raises(InvalidSignature):
        keys.current(verify)  # read less than a minute ago
    assert reads == ["old"]
    secrets._cache["secret arn"] = (time.time() - 61, secrets._cache["secret arn"][1])
    keys.current(verify)
    assert reads == ["old", "new"]


def test_a_secret_may_hold_senders_as_json_that_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    senders = importlib.import_module("functions.receive_webhook.senders")
    monkeypatch.delenv("CUSTOM_WEBHOOKS", raising=False)
    monkeypatch.setenv("WEBHOOKS_SECRET_ARN", "arn")
    held = '{"CUSTOM_WEBHOOKS": {"good": {"secrets": ["whsec_YQ=="]}, "bad": {"secrets": []}, "No Name": {}}}'
    monkeypatch.setattr(secrets, "_secret_string", lambda _arn: held)
    assert senders.find("good").secrets == ["whsec_YQ=="]
    assert (senders.find("bad"), senders.find("No Name"), senders.find("absent")) == (None, None, None)
