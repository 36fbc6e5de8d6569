"""syndicate-listing when processes die and jobs overtake each other: the later wish stands, and it stands once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from functions.syndicate_listing import standings
from functions.syndicate_listing.standings import Request
from infra.local.background import Background
from infra.seed import Seeded
from shared import database
from shared.database import Connection
from shared.fault_points import FaultPoint
from shared.jobs.syndicate_listing import Platform
from tests.integration.workers import syndicating
from tests.integration.workers.conftest import Runner
from tests.integration.workers.syndicating import World

ZILLOW = Platform.ZILLOW
BEFORE_COMMIT = pytest.mark.parametrize("point", [FaultPoint.HANDLED, FaultPoint.COMPLETING])


@pytest.fixture
def world(
    connection: Connection,
    run: Runner,
    seeded: Seeded,
    environment: pytest.MonkeyPatch,
    background: Background,
) -> Iterator[World]:
    with syndicating.world(connection, run, seeded, environment, background) as made:
        yield made


# --- dying ---------------------------------------------------------------------------------------------------


def test_a_redelivery_of_a_completed_job_sends_nothing(world: World) -> None:
    job = world.syndicate(ZILLOW)
    world.deliver(job.job_id)
    assert len(world.requests(ZILLOW)) == 1


def test_dead_before_it_began(world: World) -> None:
    job_id = world.accept(ZILLOW)
    world.dies(FaultPoint.CLAIMED, job_id)
    assert (world.requests(ZILLOW), world.row(ZILLOW)) == ([], None)
    assert world.deliver(job_id).status == "completed"


@BEFORE_COMMIT
def test_dead_after_it_was_sent(world: World, point: FaultPoint) -> None:
    job_id = world.accept(ZILLOW)
    world.dies(point, job_id)
    assert world.advertised(ZILLOW) is not None
    row = world.standing(ZILLOW)
    assert (row["status"], row["external_id"], row["job_id"]) == ("pending", None, job_id)
    assert world.deliver(job_id).status == "completed"
    first, second = world.requests(ZILLOW)
    assert first.idempotency_key == second.idempotency_key
    home = world.advertised(ZILLOW)
    assert home is not None
    assert home.sent == 1
    assert world.standing(ZILLOW)["status"] == "published"


@BEFORE_COMMIT
def test_dead_after_it_was_removed(world: World, point: FaultPoint) -> None:
    world.syndicate(ZILLOW)
    job_id = world.accept(ZILLOW, action="remove")
    world.dies(point, job_id)
    assert world.standing(ZILLOW)["status"] == "pending"
    assert world.deliver(job_id).status == "completed"
    assert (world.advertised(ZILLOW), world.standing(ZILLOW)["status"]) == (None, "removed")


def test_dead_after_the_commit(world: World) -> None:
    job_id = world.accept(ZILLOW)
    world.dies(FaultPoint.COMPLETED, job_id)
    assert world.deliver(job_id).status == "completed"
    assert len(world.requests(ZILLOW)) == 1


# --- overtaking ----------------------------------------------------------------------------------------------


def test_an_older_job_does_not_undo_a_newer_one(world: World) -> None:
    publish = world.accept(ZILLOW)
    world.syndicate(ZILLOW, action="remove")
    job = world.deliver(publish)
    assert (job.status, job.error) == (
        "cancelled",
        "a later job for this listing and zillow has had its turn",
    )
    assert (world.advertised(ZILLOW), world.standing(ZILLOW)["status"]) == (None, "removed")


def test_an_older_job_does_not_undo_a_newer_one_that_failed(world: World) -> None:
    world.syndicate(ZILLOW)
    publish = world.accept(ZILLOW)
    world.platforms.fail_next(1, status=403)
    world.syndicate(ZILLOW, action="remove")
    assert world.deliver(publish).status == "cancelled"
    assert world.standing(ZILLOW)["status"] == "failed"


def test_a_retry_does_not_undo_what_has_happened_since(world: World) -> None:
    world.platforms.fail_next(1, status=503)
    publish = world.syndicate(ZILLOW)
    assert publish.status == "retrying"
    world.syndicate(ZILLOW, action="remove")
    assert world.deliver(publish.job_id).status == "cancelled"
    assert world.advertised(ZILLOW) is None


def test_removed_while_a_dead_process_had_published_it(world: World) -> None:
    publish = world.accept(ZILLOW)
    world.dies(FaultPoint.HANDLED, publish)
    world.syndicate(ZILLOW, action="remove")
    assert world.deliver(publish).status == "cancelled"
    assert world.advertised(ZILLOW) is None


def test_published_while_a_dead_process_had_removed_it(world: World) -> None:
    world.syndicate(ZILLOW)
    remove = world.accept(ZILLOW, action="remove")
    world.dies(FaultPoint.HANDLED, remove)
    job = world.syndicate(ZILLOW)  # the very feed that the row had before
    assert not job.result["unchanged"]
    assert world.deliver(remove).status == "cancelled"
    assert world.advertised(ZILLOW) is not None


def test_jobs_whose_rows_retention_has_deleted_are_the_older_ones(world: World) -> None:
    job = world.syndicate(ZILLOW)
    world.connection.execute("DELETE FROM job_executions WHERE job_id = %s", [job.job_id])
    assert world.syndicate(ZILLOW, action="remove").status == "completed"


def test_a_wish_counts_from_when_it_was_first_asked_for(world: World) -> None:
    late_child = world.payload(ZILLOW)
    remove = world.syndicate(ZILLOW, action="remove")
    earlier = late_child.model_copy(update={"requested_at": remove.created_at.replace(year=2020)})
    job = world.run(world.handler, earlier, organization_id=world.seeded.organization_id)
    assert job.status == "cancelled"
    later = late_child.model_copy(update={"requested_at": remove.created_at.replace(year=2100)})
    world.run(world.handler, later, organization_id=world.seeded.organization_id)
    assert world.syndicate(ZILLOW, action="remove").status == "completed"  # nobody asks in the future


# --- at the same time ----------------------------------------------------------------------------------------


@contextmanager
def sending(world: World, job_id: UUID) -> Iterator[None]:
    """The job has sent and waits for its answer; it ends with the block."""
    background, platforms = world.background, world.platforms
    background.call(platforms.hold(ZILLOW))
    thread = threading.Thread(target=world.deliver_in_thread, args=[job_id])
    thread.start()
    background.call(platforms.wait_until_held(ZILLOW))
    try:
        yield
    finally:
        background.call(platforms.release(ZILLOW))
        thread.join()


def test_the_newer_feed_waits_for_the_older_and_is_the_last(world: World) -> None:
    older = world.accept(ZILLOW)
    with sending(world, older):
        world.change("title", "The newer one")
        newer = world.accept(ZILLOW)
        second = threading.Thread(target=world.deliver_in_thread, args=[newer])
        second.start()
        world.wait_for_lock(second)
    second.join()
    assert [world.run.read(each).status for each in (older, newer)] == ["completed", "completed"]
    home = world.advertised(ZILLOW)
    assert home is not None
    assert b"The newer one" in home.feed
    assert world.standing(ZILLOW)["job_id"] == newer


def test_a_job_that_cannot_get_its_turn_tries_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "_LONGEST_WAIT", "100ms")
    with sending(world, world.accept(ZILLOW)):
        job = world.syndicate(ZILLOW)
    assert (job.status, job.error) == ("retrying", "another job is sending this listing to zillow")
    assert world.standing(ZILLOW)["status"] == "published"
    assert world.deliver(job.job_id).status == "completed"


def test_a_stale_attempts_error_does_not_hide_the_success_of_the_next(world: World) -> None:
    job = world.syndicate(ZILLOW)
    request = Request(world.seeded.organization_id, world.listing_id, ZILLOW, job.job_id, job.created_at)
    database.run(lambda connection: standings.write_failure(connection, request, "too late"))
    assert world.standing(ZILLOW)["status"] == "published"
