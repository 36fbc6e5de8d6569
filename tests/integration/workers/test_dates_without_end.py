"""Postgres keeps dates that Python cannot: `infinity`, which people write for "no end". No job may fall over one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared.database import Connection
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.jobs.syndicate_listing import Platform
from shared.registry import JobType
from tests.integration.workers import matching, reminding, syndicating
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.exporting import Exporter, cells, objects
from tests.integration.workers.notifying import listening_mailbox


@pytest.fixture
def mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    yield from listening_mailbox(background, environment)


@pytest.mark.parametrize(
    "wishes",
    [
        {"move_in_to": "infinity"},
        {"move_in_from": "-infinity"},
        {"move_in_from": "0001-01-01", "move_in_to": "9999-12-31"},
        {"move_in_from": "4713-01-01 BC", "move_in_to": "99999-12-31"},
        {"bathrooms_min": "NaN"},
    ],
    ids=str,
)
def test_a_lead_who_has_all_the_time_matches(
    connection: Connection, run: Runner, seeded: Seeded, wishes: dict[str, str]
) -> None:
    world = matching.World(connection, run, seeded)
    world.change("listings", "available_from", "2026-05-01")
    lead_id = world.only_lead(**wishes)
    job = world.match()
    assert (job.status, job.error) == ("completed", None)
    assert world.matches()[lead_id]["score"] == 100


@pytest.mark.parametrize("free", ["infinity", "-infinity", "9999-12-31", "99999-12-31"])
def test_a_home_whose_day_is_not_known_is_matched(
    connection: Connection, run: Runner, seeded: Seeded, free: str
) -> None:
    world = matching.World(connection, run, seeded)
    world.change("listings", "available_from", free)
    lead_id = world.only_lead(move_in_from="2026-05-01", move_in_to="2026-06-01")
    job = world.match()
    assert (job.status, job.error) == ("completed", None)
    assert world.matches()[lead_id]["score"] >= 85


def test_an_applicant_is_reminded_of_an_application_that_never_expires(
    connection: Connection, run: Runner, seeded: Seeded, mailbox: Mailbox
) -> None:
    handler = importlib.import_module("functions.send_reminder.handler").handler
    application_id = seeded.day_old_application_id
    payload = SendReminder(
        reminder_type=ReminderType.DAY1,
        applicant_id=reminding.applicant_of(connection, application_id),
        application_id=application_id,
    )
    reminding.change(connection, seeded, expires_at="infinity")
    job = run(handler, payload, organization_id=seeded.organization_id)
    assert (job.status, job.error) == ("completed", None)
    assert job.result["sent"]
    assert len(run.accepted(JobType.SEND_NOTIFICATION)) == 1


@pytest.mark.parametrize("free", ["infinity", "-infinity", "99999-12-31"])
def test_a_home_whose_day_is_not_known_is_advertised(
    connection: Connection,
    run: Runner,
    seeded: Seeded,
    environment: pytest.MonkeyPatch,
    background: Background,
    free: str,
) -> None:
    with syndicating.world(connection, run, seeded, environment, background) as world:
        world.change("available_from", free)
        assert world.syndicate(Platform.ZILLOW).error is None
        assert world.standing(Platform.ZILLOW)["status"] == "published"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_says_what_has_no_end(
    connection: Connection, run: Runner, files: Files, seeded: Seeded, kind: str
) -> None:
    connection.execute(
        "UPDATE app.applications SET expires_at = 'infinity' WHERE organization_id = %s",
        [seeded.organization_id],
    )
    content = Exporter(run, files, seeded.organization_id)(
        entity_type="applications", format=kind, columns=["id", "expires_at"]
    )
    rows: list[dict[str, Any]] = list(cells(content) if kind == "csv" else objects(content))
    assert {row["expires_at"] for row in rows} == {"infinity"}
