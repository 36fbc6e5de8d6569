"""Whoever receives an event dies: the sender gets no answer, and sends it again."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from infra.webhooks import LOCAL_SECRETS, github_events, local_senders
from shared.fault_points import FaultPoint
from tests.integration import delivering
from tests.integration.crash_windows.world import World, standing
from tests.integration.webhooks.stage import event_of

DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
ACCOUNT = 4_711


@pytest.fixture
def receive(world: World, environment: pytest.MonkeyPatch) -> Any:
    """Send one event of GitHub's to the receiver; its answer."""
    for name, value in LOCAL_SECRETS.items():
        environment.setenv(name, value)
    environment.setenv(
        "JOB_ENDPOINTS", f'{{"process-webhook": "{delivering.URL}", "record-failure": "{delivering.URL}"}}'
    )
    handler = importlib.import_module("functions.receive_webhook.handler").handler
    event = github_events.event(account_id=ACCOUNT)
    request = local_senders.github("push", event, delivery=DELIVERY)

    def send() -> Any:
        return handler(event_of(request), delivering.Context())

    return send


@pytest.mark.parametrize(
    "point",
    [
        FaultPoint.EVENT_WRITTEN,
        FaultPoint.COMMITTED,
        FaultPoint.RESERVED,
        FaultPoint.PUBLISHED,
        FaultPoint.STAMPED,
    ],
)
@pytest.mark.parametrize("is_sent_again", [False, True], ids=["swept", "sent again"])
def test_an_event_is_received(world: World, receive: Any, point: FaultPoint, is_sent_again: bool) -> None:
    world.dies(point, receive)
    is_lost = point is FaultPoint.EVENT_WRITTEN
    assert (len(events(world)), len(world.jobs())) == ((0, 0) if is_lost else (1, 1))
    if is_sent_again or is_lost:
        assert receive()["statusCode"] == 200
    assert (len(events(world)), len(world.jobs())) == (1, 1)
    world.pass_time(60)
    world.sweep()
    assert standing(world.only_job()) == ("pending", 0, 1, True)
    assert len(world.held()) == 1
    apply(world)
    assert [row["status"] for row in events(world)] == ["processed"]
    assert activities(world) == 1
    assert receive()["statusCode"] == 200  # and once more, long after
    assert (len(events(world)), len(world.jobs()), world.held()) == (1, 1, [])


def apply(world: World) -> None:
    """Let QStash deliver the event's job to its own worker."""
    world.connection.execute(
        "INSERT INTO app.organizations (name, slug, github_account_id) VALUES ('Acme', 'acme', %s)", [ACCOUNT]
    )
    (message,) = world.held()
    handler = importlib.import_module("functions.process_webhook.handler").handler
    world._work = handler
    world.deliver(message)


def events(world: World) -> list[dict[str, Any]]:
    return world.connection.execute("SELECT * FROM app.webhook_events").fetchall()


def activities(world: World) -> int:
    return len(
        world.connection.execute(
            "SELECT FROM app.activity_logs WHERE external_id = %s", [DELIVERY]
        ).fetchall()
    )
