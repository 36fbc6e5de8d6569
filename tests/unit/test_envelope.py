"""What travels: ids, camelCase on the wire, and what a worker makes of a body."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.envelope import (
    Delivery,
    Envelope,
    Metadata,
    Payload,
    WireModel,
    new_job_id,
    problems,
    scheduled_job_id,
)
from shared.errors import InvalidJob, PosthasteError
from shared.registry import JobType

STANDARD = settings(max_examples=100, deadline=None)


class Inner(WireModel):
    unit_price: int


class Sample(Payload, type=JobType.CRM_MATCH):
    listing_id: int
    first_name: str = "Ada"
    order_lines: tuple[Inner, ...] = ()


# --- ids ---------------------------------------------------------------------------------------------------


def test_a_job_id_is_a_uuid_of_version_7() -> None:
    for _each in range(1000):
        made = new_job_id()
        assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_a_job_id_begins_with_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    stamp = new_job_id().int >> 80
    assert before <= stamp <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("nanoseconds", "first"),
    [
        (0, "00000000-0000-7"),
        (1_645_557_742_000 * 10**6, "017f22e2-79b0-7"),
        (2**48 * 10**6, "00000000-0000-7"),
    ],
)
def test_the_time_fills_the_first_48_bits(
    monkeypatch: pytest.MonkeyPatch, nanoseconds: int, first: str
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
    assert str(new_job_id()).startswith(first)


def test_ids_of_later_milliseconds_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_800_000_000_000 * 10**6, 1_800_000_001_000 * 10**6, 10**6))
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    made = [new_job_id() for _each in range(1000)]
    assert made == sorted(made)
    assert [str(each) for each in made] == sorted(map(str, made))


def test_ids_of_one_millisecond_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000 * 10**6)
    assert len({new_job_id() for _each in range(5000)}) == 5000


def test_a_scheduled_runs_id_follows_from_its_message() -> None:
    assert scheduled_job_id("msg_1") == scheduled_job_id("msg_1") == uuid5(NAMESPACE_URL, "qstash:msg_1")
    assert scheduled_job_id("msg_1").version == 5
    assert scheduled_job_id("msg_1") != scheduled_job_id("msg_2")


def test_a_deliverys_job_is_its_envelopes_or_its_messages() -> None:
    job_id = new_job_id()
    given_id = Envelope(job_id=job_id, type="send-email", payload={})
    assert Delivery(given_id, "msg_1").job_id == job_id
    assert Delivery(Envelope(type="send-email", payload={}), "msg_1").job_id == scheduled_job_id("msg_1")


# --- the wire ----------------------------------------------------------------------------------------------

TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ENVELOPES = st.builds(
    Envelope,
    job_id=st.none() | st.uuids(),
    publication=st.integers(0, 10**6),
    type=TEXT,
    payload=st.dictionaries(TEXT, JSON, max_size=4),
    metadata=st.builds(
        Metadata,
        user_id=st.none() | st.integers(1, 2**63 - 1),
        organization_id=st.none() | st.integers(1, 2**63 - 1),
        idempotency_key=st.none() | TEXT,
        created_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    ),
)


@STANDARD
@given(ENVELOPES)
def test_an_envelope_survives_the_wire(made: Envelope) -> None:
    assert Envelope.model_validate_json(made.to_wire()) == made


@STANDARD
@given(ENVELOPES)
def test_the_wire_is_camel_case_json_without_nulls(made: Envelope) -> None:
    wire = json.loads(made.to_wire())
    metadata = wire.pop("metadata")
    assert set(wire) <= {"jobId", "publication", "type", "payload"}
    assert set(metadata) <= {"userId", "organizationId", "idempotencyKey", "createdAt"}
    assert None not in wire.values()
    assert None not in metadata.values()


def test_a_null_in_a_payload_survives_the_wire() -> None:
    made = Envelope(type="send-email", payload={"a": None, "b": {"c": None, "d": [None]}})
    assert Envelope.model_validate_json(made.to_wire()).payload == made.payload


def test_the_wire_to_the_letter() -> None:
    made = Envelope(
        job_id=UUID("01a20390-091c-72da-a1ee-c518ceb18516"),
        publication=2,
        type="crm-match",
        payload={"listingId": 5, "free_form": {"snake_case": 1}},
        metadata=Metadata(user_id=7, created_at=datetime(2030, 1, 2, tzinfo=UTC)),
    )
    assert made.to_wire() == (
        b'{"jobId":"01a20390-091c-72da-a1ee-c518ceb18516","publication":2,"type":"crm-match",'
        b'"payload":{"listingId":5,"free_form":{"snake_case":1}},'
        b'"metadata":{"userId":7,"createdAt":"2030-01-02T00:00:00Z"}}'
    )


def test_a_schedules_envelope_needs_type_and_payload_only() -> None:
    read = Envelope.model_validate_json('{"type": "crm-match", "payload": {}}')
    assert (read.job_id, read.publication, read.metadata) == (None, 0, Metadata())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "type"),
        ('{"type": "a"}', "payload"),
        ('{"type": 5, "payload": {}}', "type"),
        ('{"type": "a", "payload": []}', "payload"),
        ('{"type": "a", "payload": {}, "jobId": "1"}', "jobId"),
        ('{"type": "a", "payload": {}, "publication": "x"}', "publication"),
        ('{"type": "a", "payload": {}, "metadata": {"userId": "x"}}', "metadata.userId"),
        ("[]", "payload"),
        ("", "payload"),
    ],
)
def test_what_is_no_envelope_is_named_by_field(body: str, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Envelope.model_validate_json(body, extra="ignore")
    assert field in dict(problems(caught.value))


def test_a_worker_ignores_what_a_newer_producer_adds() -> None:
    body = '{"type": "a", "payload": {}, "priority": 1, "metadata": {"team": 2}}'
    assert Envelope.model_validate_json(body, extra="ignore").type == "a"
    with pytest.raises(ValidationError):
        Envelope.model_validate_json(body)


# --- payloads ----------------------------------------------------------------------------------------------


@STANDARD
@given(listing_id=st.integers(), name=TEXT)
def test_a_payload_survives_the_wire_in_camel_case(listing_id: int, name: str) -> None:
    made = Sample(listing_id=listing_id, first_name=name, order_lines=(Inner(unit_price=1),))
    text = made.model_dump_json(by_alias=True)
    assert Sample.model_validate_json(text) == made
    wire = json.loads(text)  # read, not searched: the name may look like a field's
    assert list(wire) == ["listingId", "firstName", "orderLines"]
    assert list(wire["orderLines"][0]) == ["unitPrice"]


def test_a_payload_may_be_made_by_either_name() -> None:
    by_alias: Any = {"listingId": 1, "firstName": "Bo"}
    assert Sample(**by_alias) == Sample(listing_id=1, first_name="Bo")


def test_a_payload_knows_its_type() -> None:
    assert Sample.job_type is JobType.CRM_MATCH
    assert Sample(listing_id=1).job_type is JobType.CRM_MATCH


def test_a_payloads_subclass_keeps_the_type() -> None:
    class Special(Sample):
        """More of the same."""

    assert Special.job_type is JobType.CRM_MATCH


def test_a_payload_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Sample(listing_id=1).listing_id = 2


def test_a_wrong_payload_names_every_field_at_fault() -> None:
    wrong: Any = {"listing_id": "x", "first_name": 5, "order_lines": [{"unitPrice": "y"}], "colour": "red"}
    with pytest.raises(InvalidJob) as caught:
        Sample(**wrong)
    assert [field for field, _what in caught.value.problems] == [
        "listing_id", "first_name", "order_lines.0.unitPrice", "colour",
    ]  # fmt: skip
    assert caught.value.field == "listing_id"
    assert isinstance(caught.value, PosthasteError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_an_errors_text_holds_no_value() -> None:
    wrong: Any = {"listing_id": "s3cret"}
    with pytest.raises(InvalidJob) as caught:
        Sample(**wrong)
    assert "s3cret" not in str(caught.value)
