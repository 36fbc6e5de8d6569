"""The payloads of process-webhook and process-stripe-webhook: what they take, and how they travel."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import InvalidJob
from shared.jobs.process_stripe_webhook import ProcessStripeWebhook
from shared.jobs.process_webhook import ProcessWebhook

WEBHOOK: dict[str, Any] = {
    "source": "custom",
    "event": "invoice.imported",
    "data": {"number": "2026-17", "snake_case": 1},
    "eventId": "import-1",
    "name": "accounting",
    "occurredAt": "2026-05-01T09:30:00Z",
    "signature": "sha256=0a1b",
}
STRIPE: dict[str, Any] = {
    "eventType": "invoice.paid",
    "eventId": "evt_1",
    "created": 1_788_000_000,
    "eventData": {"id": "in_1", "amount_due": 100},
    "ipAddress": "198.51.100.7",
}


@pytest.mark.parametrize(("model", "wire"), [(ProcessWebhook, WEBHOOK), (ProcessStripeWebhook, STRIPE)])
def test_there_and_back(model: Any, wire: dict[str, Any]) -> None:
    payload = model.model_validate_json(json.dumps(wire))
    assert json.loads(payload.model_dump_json(by_alias=True)) == wire


@pytest.mark.parametrize(("model", "wire"), [(ProcessWebhook, WEBHOOK), (ProcessStripeWebhook, STRIPE)])
def test_a_worker_tolerates_what_it_does_not_know_and_a_caller_is_told(
    model: Any, wire: dict[str, Any]
) -> None:
    newer = wire | {"newer": 1}
    assert model.model_validate(newer, extra="ignore") == model.model_validate(wire)
    with pytest.raises(InvalidJob, match="newer: Extra inputs are not permitted"):
        model(**newer)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "paypal"}, "source: Input should be 'stripe', 'resend', 'github' or 'custom'"),
        ({"event": ""}, "event: String should have at least 1 character"),
        ({"event": "a\nb"}, "event: String should match pattern"),
        ({"data": [1]}, "data: Input should be a valid dictionary"),
        ({"eventId": ""}, "eventId: String should have at least 1 character"),
        ({"occurredAt": datetime(2026, 5, 1)}, "occurredAt: Input should have timezone info"),  # noqa: DTZ001
        ({"source": "github"}, "name is a custom sender's: leave it out"),
    ],
)
def test_a_webhook_that_is_none(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        ProcessWebhook(**WEBHOOK | changes)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eventType": ""}, "eventType: String should have at least 1 character"),
        ({"eventId": "two words"}, "eventId: String should match pattern"),
        ({"created": "1788000000"}, "created: Input should be a valid integer"),
        ({"created": -1}, "created: Input should be greater than or equal to 0"),
        ({"created": 1_788_000_000_000}, "created: Input should be less than"),  # milliseconds
        ({"eventData": None}, "eventData: Input should be a valid dictionary"),
        ({"ipAddress": "here"}, "ipAddress: value is not a valid IPv4 or IPv6 address"),
    ],
)
def test_an_event_that_is_none_of_stripes(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        ProcessStripeWebhook(**STRIPE | changes)
    assert words in str(caught.value)


def test_what_came_is_not_shown() -> None:
    shown = repr(ProcessWebhook(**WEBHOOK)) + repr(ProcessStripeWebhook(**STRIPE))
    assert "2026-17" not in shown
    assert "sha256" not in shown
    assert "in_1" not in shown


def test_a_custom_sender_without_a_name_is_called_custom() -> None:
    assert ProcessWebhook(source="custom", event="x", data={}).sender == "custom"
    assert ProcessWebhook(source="github", event="push", data={}).sender == ""


def test_stripes_time_is_utc() -> None:
    assert ProcessStripeWebhook(**STRIPE).occurred_at == datetime.fromtimestamp(1_788_000_000, UTC)
