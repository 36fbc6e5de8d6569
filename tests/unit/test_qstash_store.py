"""How much the local QStash remembers."""

from __future__ import annotations

import pytest

from infra.local.qstash import store
from infra.local.qstash.records import Attempt, Message, State
from infra.local.qstash.wire.options import Options


def test_the_log_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_EVENT_BYTES", 25_000)
    kept = store.Store(lambda: 1.0)
    message = Message("msg_1", "http://a.example", b"", Options(), "127.0.0.1", 1.0, 1.0)
    kept.add(message)
    for number in range(5):
        kept.record(message, State.ERROR, Attempt(500, body=bytes([number]) * 10_000))
    assert [event.attempt and event.attempt.body[0] for event in kept.events()] == [4, 3]
    kept.record(message, State.ERROR, Attempt(500, body=b"x" * 30_000))
    kept.record(message, State.RETRY)
    assert [event.state for event in kept.events()] == [State.RETRY], "and what is larger than all goes first"
