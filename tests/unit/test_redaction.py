"""Marked fields of payloads: found wherever they lie, shown to nobody, and kept through an edit."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from shared.columns import REDACTED
from shared.envelope import Payload, WireModel
from shared.redaction import Sensitive, _marked_in, _with, _without, redacted, restored
from shared.registry import JobType


class Inner(WireModel):
    api_token: Annotated[str, Sensitive()]
    note: str = ""


class Other(WireModel):
    code: Annotated[str, Sensitive()]


class Outer(Payload, type=JobType.CRM_MATCH):
    plain: str
    pin: Annotated[str, Sensitive()] | None = None
    inner: Inner | Other | None = None
    many: tuple[Inner, ...] = ()
    by_name: dict[str, Any] | None = None


TREE = _marked_in(Outer)
WHOLE = {
    "plain": "a", "pin": "1234", "inner": {"apiToken": "t", "note": "n"}, "many": [{"apiToken": "u"}, {"apiToken": "v"}],
    "byName": {"apiToken": "is data"},
}  # fmt: skip
SHOWN = {
    "plain": "a", "pin": REDACTED, "inner": {"apiToken": REDACTED, "note": "n"},
    "many": [{"apiToken": REDACTED}, {"apiToken": REDACTED}], "byName": {"apiToken": "is data"},
}  # fmt: skip


def test_marked_fields_are_not_shown() -> None:
    assert _without(WHOLE, TREE) == SHOWN


def test_what_is_left_redacted_stays_and_what_is_written_over_does_not() -> None:
    assert _with(SHOWN, WHOLE, TREE) == WHOLE
    assert _with(SHOWN | {"pin": "9", "plain": "b"}, WHOLE, TREE) == WHOLE | {"pin": "9", "plain": "b"}


@pytest.mark.parametrize(
    "payload", [{}, {"inner": None}, {"inner": 5, "many": "x"}, [], "text", None, {"pin": None}]
)
def test_a_payload_of_another_shape_is_shown_as_it_is(payload: Any) -> None:
    assert _without(payload, TREE) == payload
    assert _with(payload, WHOLE, TREE) == payload


@pytest.mark.parametrize(
    ("job_type", "payload", "path"),
    [
        ("send-email", {"data": {"resetUrl": "https://x/t"}}, ("data", "resetUrl")),
        ("send-email", {"data": {"downloadUrl": "https://x/t"}}, ("data", "downloadUrl")),
        ("process-webhook", {"signature": "s"}, ("signature",)),
    ],
)
def test_ours_are_marked(job_type: str, payload: Any, path: tuple[str, ...]) -> None:
    shown = redacted(job_type, payload)
    for step in path:
        shown = shown[step]
    assert shown == REDACTED
    assert restored(job_type, redacted(job_type, payload), payload) == payload


def test_a_type_that_is_gone_is_shown() -> None:
    assert redacted("send-sms", {"text": "hi"}) == {"text": "hi"}
