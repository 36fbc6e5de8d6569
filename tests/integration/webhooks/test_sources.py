"""What each source really sends is recorded as it was sent, and becomes the job that applies it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.webhooks import (
    Request,
    as_github,
    as_resend,
    as_stripe,
    custom_events,
    github_events,
    local_secrets,
    local_senders,
    resend_events,
    stripe_events,
)
from shared.jobs.process_stripe_webhook import HANDLED
from tests.integration.webhooks.stage import OLD_GITHUB, OLD_RESEND, OLD_STRIPE, Stage

MEGABYTE = 1_000_000


def only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = rows
    return row


def accepted(stage: Stage, request: Request, event_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The event and its job, after it was taken."""
    answer = stage.send(request)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    event, job = only(stage.events(event_id)), only(stage.jobs(event_id))
    assert (event["status"], event["job_id"], event["processed_at"]) == ("queued", job["job_id"], None)
    assert (str(event["ip"]), event["user_agent"]) == ("127.0.0.1", request.headers["user-agent"])
    assert (job["status"], job["published_at"] is not None) == ("pending", True)
    return event, job


# --- Stripe -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [stripe_events.BEFORE_BASIL, stripe_events.SINCE_BASIL])
@pytest.mark.parametrize("kind", stripe_events.TYPES)
def test_each_event_of_stripes_that_is_handled_becomes_a_job(stage: Stage, kind: str, version: str) -> None:
    sent = stripe_events.event(kind, api_version=version) | {"a_new_field": {"ünknown": ["🎉", None, 1.5]}}
    event, job = accepted(stage, local_senders.stripe(sent), sent["id"])
    assert (event["source"], event["name"], event["event_type"]) == ("stripe", "", kind)
    assert event["payload"] == sent
    assert event["occurred_at"] == datetime.fromtimestamp(sent["created"], UTC)
    assert (job["job_type"], job["idempotency_key"]) == ("process-stripe-webhook", sent["id"])
    assert job["payload"] == {
        "eventType": kind,
        "eventId": sent["id"],
        "created": sent["created"],
        "eventData": sent["data"]["object"],
        "ipAddress": "127.0.0.1",
    }


def test_there_is_an_example_of_all_that_is_handled() -> None:
    assert set(stripe_events.TYPES) == HANDLED


@pytest.mark.parametrize("kind", ["customer.created", "v2.core.account.updated"])
def test_an_event_of_stripes_that_nothing_handles_is_kept_as_ignored(stage: Stage, kind: str) -> None:
    sent = stripe_events.event(kind)
    answer = stage.send(local_senders.stripe(sent))
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "ignored": True})
    event = only(stage.events(sent["id"]))
    assert (event["status"], event["error"]) == ("ignored", f"{kind} is not handled")
    assert (event["processed_at"] is not None, event["job_id"], event["payload"]) == (True, None, sent)
    assert stage.jobs(sent["id"]) == []


def test_stripes_thin_events_are_ignored(stage: Stage) -> None:
    sent = {"id": "evt_thin", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found"}
    assert stage.send(local_senders.stripe(sent | {"created": "2026-05-01T09:30:00.000Z"})).json()["ignored"]
    assert only(stage.events("evt_thin"))["occurred_at"] == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


# --- Resend -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", resend_events.TYPES)
def test_each_event_of_resends_becomes_a_job(stage: Stage, kind: str) -> None:
    at = datetime(2026, 5, 1, 9, 30, 0, 126_000, tzinfo=UTC)
    sent, message_id = resend_events.event(kind, at=at), f"msg_{kind}"
    event, job = accepted(stage, local_senders.resend(sent, message_id=message_id), message_id)
    assert (event["source"], event["event_type"], event["payload"]) == ("resend", kind, sent)
    assert event["occurred_at"] == at
    assert (job["job_type"], job["idempotency_key"]) == ("process-webhook", f"resend:{message_id}")
    assert (job["payload"]["source"], job["payload"]["event"]) == ("resend", kind)
    assert job["payload"]["data"] == sent


# --- GitHub -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@pytest.mark.parametrize("kind", [each for each in github_events.TYPES if each != "ping"])
def test_each_event_of_githubs_becomes_a_job(stage: Stage, kind: str, form: bool) -> None:
    sent, delivery = github_events.event(kind), f"{kind}-{form}"
    request = local_senders.github(kind, sent, delivery=delivery, form=form)
    event, job = accepted(stage, request, delivery)
    assert (event["source"], event["event_type"], event["payload"]) == ("github", kind, sent)
    assert (event["occurred_at"] is not None) == (kind != "star")
    assert (job["job_type"], job["idempotency_key"]) == ("process-webhook", f"github:{delivery}")
    assert (job["payload"]["event"], job["payload"]["data"]) == (kind, sent)


def test_githubs_ping_is_answered_and_no_event(stage: Stage) -> None:
    before = stage.written()
    answer = stage.send(local_senders.github("ping", github_events.event("ping")))
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "pong": True})
    assert stage.written() == before


def test_a_ping_that_is_not_githubs_is_refused(stage: Stage) -> None:
    assert stage.send(as_github("ping", github_events.event("ping"), "guessed")).status_code == 401


# --- custom senders -----------------------------------------------------------------------------------------


def test_a_sender_that_signs_by_the_standard(stage: Stage) -> None:
    sent = custom_events.invoice_imported()
    event, job = accepted(stage, local_senders.accounting(sent, message_id="m-1"), "m-1")
    assert (event["source"], event["name"]) == ("custom", "accounting")
    assert (event["event_type"], event["payload"]) == ("invoice.imported", sent)
    assert event["occurred_at"] == datetime.fromisoformat(sent["timestamp"])
    assert (job["idempotency_key"], job["organization_id"]) == ("custom:accounting:m-1", 1)
    assert (job["payload"]["name"], job["payload"]["data"]) == ("accounting", sent)


def test_a_sender_that_only_knows_hmac(stage: Stage) -> None:
    sent = custom_events.document_scanned()
    event, job = accepted(stage, local_senders.scanner(sent), sent["scan_id"])
    assert (event["name"], event["event_type"], event["payload"]) == ("scanner", "document.scanned", sent)
    assert job["idempotency_key"] == f"custom:scanner:{sent['scan_id']}"


# --- any source ---------------------------------------------------------------------------------------------


def test_events_of_a_megabyte(stage: Stage) -> None:
    """The job's payload stays in Postgres, and only its id travels."""
    body = custom_events.document_scanned(text="Größe und Maß ✓ " * (MEGABYTE // 20))
    assert len(json.dumps(body)) > MEGABYTE
    event, job = accepted(stage, local_senders.scanner(body), body["scan_id"])
    assert event["payload"] == body
    assert (job["payload"]["data"], job["by_reference"]) == (body, True)


@pytest.mark.parametrize(
    ("request_of", "old", "new"),
    [
        (
            lambda secret: as_stripe(stripe_events.event("invoice.paid"), secret),
            OLD_STRIPE,
            local_secrets.STRIPE,
        ),
        (lambda secret: as_resend(resend_events.event(), secret), OLD_RESEND, local_secrets.RESEND),
        (lambda secret: as_github("push", github_events.event(), secret), OLD_GITHUB, local_secrets.GITHUB),
    ],
    ids=["stripe", "resend", "github"],
)
def test_while_a_key_is_rotated_both_are_good(stage: Stage, request_of: Any, old: str, new: str) -> None:
    assert [stage.send(request_of(each)).status_code for each in (old, new)] == [200, 200]


def test_a_sender_that_signs_with_two_keys_at_once_needs_one_that_fits(stage: Stage) -> None:
    event = stripe_events.event("invoice.paid")
    assert stage.send(as_stripe(event, "whsec_unknown", local_secrets.STRIPE)).status_code == 200
    svix = as_resend(resend_events.event(), "whsec_dW5rbm93bi1zZWNyZXQ=", local_secrets.RESEND)
    assert stage.send(svix).status_code == 200


def test_events_out_of_order_are_each_kept_with_their_own_time(stage: Stage) -> None:
    purchase = stripe_events.Purchase()
    later = purchase.event("invoice.paid", created=purchase.began + 60)
    earlier = purchase.event("customer.subscription.created", created=purchase.began)
    for each in (later, earlier):
        accepted(stage, local_senders.stripe(each), each["id"])
    kept = [only(stage.events(each["id"]))["occurred_at"].timestamp() for each in (later, earlier)]
    assert kept == [purchase.began + 60, purchase.began]


def test_header_names_may_be_spelled_as_they_like(stage: Stage) -> None:
    request = local_senders.resend(resend_events.event())
    shouted = Request(
        request.path, request.body, {name.upper(): value for name, value in request.headers.items()}
    )
    assert stage.send(shouted).status_code == 200
