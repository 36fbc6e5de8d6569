"""A short run of what `make fuzz-webhooks` does at length, and that its judge would notice."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shared import database
from shared.database import Connection
from tests.fuzz.judge import Judge
from tests.fuzz.run import fuzz
from tests.fuzz.shots import Gun, Shot
from tests.integration.webhooks.stage import Stage, staged

REQUESTS, SEED = 600, 20_260_501


@pytest.fixture
def stage(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(database_url) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
        database.discard()


def test_nothing_that_can_be_sent_breaks_the_receiver(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    judge = fuzz(stage, seed=SEED, requests=REQUESTS, over_http=6)
    assert judge.violations == []
    assert judge.answers.total() == REQUESTS
    assert {200, 400, 401, 404, 405, 415, 431} <= judge.answers.keys()
    events, jobs = judge.written
    assert 0 < jobs < events < judge.answers[200]


@pytest.mark.parametrize(
    ("expected", "status", "body", "words"),
    [
        ("either", 503, {}, "such a status"),
        ("taken", 401, {}, "was to be taken"),
        ("refused", 200, {"ok": True, "duplicate": True}, "was to be refused"),
        ("either", 200, {"ok": True}, "should have written (1, 1)"),
    ],
)
def test_the_judge_notices(
    stage: Stage, expected: str, status: int, body: dict[str, bool], words: str
) -> None:
    judge = Judge(stage.connection)
    shot = next(Gun(1).shots())
    judge.judge(Shot(shot.request, expected, "a story"), status, body)  # type: ignore[arg-type]
    assert words in judge.violations[0]


def test_the_judge_notices_rows_that_should_not_be(stage: Stage) -> None:
    judge = Judge(stage.connection)
    insert_orphan(stage.connection)
    judge.judge(Shot(next(Gun(1).shots()).request, "refused", "a story"), 401, {})
    judge.finish()
    assert len(judge.violations) == 2


def insert_orphan(connection: Connection) -> None:
    """An event that waits for a job that is not there."""
    connection.execute(
        "INSERT INTO app.webhook_events (source, event_id, event_type, status, payload) VALUES ('stripe', 'evt', 'x', 'queued', '{}')"
    )
