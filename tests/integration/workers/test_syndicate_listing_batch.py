"""syndicate-listing for several platforms: a job for each, and one that says what stands where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from infra.local.background import Background
from infra.seed import Seeded
from shared.database import Connection
from shared.dispatcher import cancel, retry
from shared.fault_points import FaultPoint
from shared.jobs.syndicate_listing import Platform
from shared.registry import JobType
from shared.rows import Execution
from tests.integration.workers import syndicating
from tests.integration.workers.conftest import Runner
from tests.integration.workers.syndicating import World

ALL = list(Platform)
ZILLOW, FACEBOOK, STREETEASY = Platform.ZILLOW, Platform.FACEBOOK, Platform.STREETEASY


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


def children(parent: Execution) -> dict[Platform, UUID]:
    """The jobs that a parent's result names, by platform."""
    return {Platform(name): UUID(job_id) for name, job_id in parent.result["jobIds"].items()}


def deliver_all(world: World, parent: Execution) -> Execution:
    """Each child once, and the summary."""
    world.jobs.drain(catch=True)
    return world.run.read(UUID(parent.result["summaryJobId"]))


def accepted(world: World) -> list[Execution]:
    return world.run.accepted(JobType.SYNDICATE_LISTING)


def test_each_platform_is_a_job_of_its_own(world: World) -> None:
    parent = world.syndicate(*ALL)
    assert parent.status == "completed"
    assert set(children(parent)) == set(ALL)
    assert world.platforms.requests == []  # no Lambda waits for six platforms
    for platform, job_id in children(parent).items():
        job = world.run.read(job_id)
        assert (job.status, job.organization_id, job.user_id) == ("pending", parent.organization_id, 7)
        assert job.payload["platforms"] == [platform.value]
        assert job.payload["requestedAt"] == parent.created_at.isoformat().replace("+00:00", "Z")


def test_the_summary_says_what_stands_where(world: World) -> None:
    parent = world.syndicate(*ALL)
    summary = deliver_all(world, parent)
    assert (summary.status, summary.result["failed"]) == ("completed", [])
    assert set(summary.result["platforms"]) == {each.value for each in ALL}
    for platform in ALL:
        home = world.advertised(platform)
        assert home is not None
        assert summary.result["platforms"][platform.value] == {
            "outcome": "completed",
            "status": "published",
            "externalId": home.external_id,
            "externalUrl": None if platform is Platform.REALTOR else home.url,
            "error": None,
        }


def test_all_of_it_is_removed_again(world: World) -> None:
    deliver_all(world, world.syndicate(*ALL))
    summary = deliver_all(world, world.syndicate(*ALL, action="remove"))
    stand = {each["status"] for each in summary.result["platforms"].values()}
    assert (stand, summary.result["action"]) == ({"removed"}, "remove")
    assert [world.advertised(each) for each in ALL] == [None] * 6


def test_one_platforms_outage_is_retried_alone(world: World) -> None:
    parent = world.syndicate(ZILLOW, FACEBOOK, STREETEASY)
    world.platforms.fail_next(1, platform=FACEBOOK)
    jobs = children(parent)
    for job_id in jobs.values():
        world.deliver(job_id)
    assert world.run.read(jobs[FACEBOOK]).status == "retrying"
    world.deliver(jobs[FACEBOOK])
    assert [len(world.requests(each)) for each in (ZILLOW, FACEBOOK, STREETEASY)] == [1, 2, 1]
    assert world.deliver(UUID(parent.result["summaryJobId"])).result["failed"] == []


def test_one_platforms_refusal_is_that_platforms(world: World, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("ZILLOW_API_KEY")
    parent = world.syndicate(*ALL)
    world.platforms.fail_next(1, platform=STREETEASY, status=422, words="no fee, no listing")
    summary = deliver_all(world, parent)
    assert summary.result["failed"] == ["zillow", "streeteasy"]
    platforms: dict[str, Any] = summary.result["platforms"]
    assert "set ZILLOW_API_KEY" in platforms["zillow"]["error"]
    assert "no fee, no listing" in platforms["streeteasy"]["error"]
    assert (platforms["facebook"]["outcome"], platforms["zillow"]["outcome"]) == ("completed", "failed")
    assert [world.standing(each)["status"] for each in (ZILLOW, STREETEASY)] == ["failed", "failed"]


def test_the_summary_makes_visible_what_could_not_speak_for_itself(world: World) -> None:
    """A job that QStash could not deliver, or whose last attempt was killed, has written nothing."""
    parent = world.syndicate(ZILLOW, FACEBOOK)
    jobs = children(parent)
    world.connection.execute(
        "UPDATE job_executions SET status = 'failed', error = 'the attempt was lost', completed_at = now() "
        "WHERE job_id = %s",
        [jobs[FACEBOOK]],
    )
    world.deliver(jobs[ZILLOW])
    summary = world.deliver(UUID(parent.result["summaryJobId"]))
    assert summary.result["failed"] == ["facebook"]
    row = world.standing(FACEBOOK)
    assert (row["status"], row["error"], row["job_id"]) == (
        "failed",
        "the attempt was lost",
        jobs[FACEBOOK],
    )


def test_a_late_summary_does_not_hide_what_has_happened_since(world: World) -> None:
    parent = world.syndicate(ZILLOW, FACEBOOK)
    jobs = children(parent)
    world.platforms.fail_next(1, platform=FACEBOOK, status=422)
    for job_id in jobs.values():
        world.deliver(job_id)
    world.syndicate(FACEBOOK)
    summary = world.deliver(UUID(parent.result["summaryJobId"]))
    assert world.standing(FACEBOOK)["status"] == "published"
    assert summary.result["platforms"]["facebook"]["outcome"] == "failed"
    assert summary.result["platforms"]["facebook"]["status"] == "published"


def test_a_child_that_was_cancelled_is_no_failure(world: World) -> None:
    parent = world.syndicate(ZILLOW, FACEBOOK)
    jobs = children(parent)
    cancel(jobs[ZILLOW])
    world.deliver(jobs[FACEBOOK])
    summary = world.deliver(UUID(parent.result["summaryJobId"]))
    assert summary.result["failed"] == []
    assert summary.result["platforms"]["zillow"]["outcome"] == "cancelled"


def test_a_later_job_overtakes_the_children_of_an_earlier_one(world: World) -> None:
    publish = world.accept(ZILLOW, FACEBOOK)
    world.syndicate(ZILLOW, action="remove")
    summary = deliver_all(world, world.deliver(publish))
    assert summary.result["platforms"]["zillow"]["outcome"] == "cancelled"
    assert (world.advertised(ZILLOW), world.advertised(FACEBOOK) is None) == (None, False)


def test_a_child_that_failed_can_be_replayed(world: World) -> None:
    parent = world.syndicate(ZILLOW, FACEBOOK)
    world.platforms.fail_next(1, platform=ZILLOW, status=401)
    deliver_all(world, parent)
    retry(children(parent)[ZILLOW])
    assert world.deliver(children(parent)[ZILLOW]).status == "completed"
    assert world.standing(ZILLOW)["status"] == "published"


# --- dying, and running twice ----------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_dead_before_the_commit_there_is_no_batch_yet(world: World, point: FaultPoint) -> None:
    job_id = world.accept(*ALL)
    world.dies(point, job_id)
    assert len(accepted(world)) == 1
    world.deliver(job_id)
    assert len(accepted(world)) == 1 + len(ALL)


def test_dead_after_the_commit_there_is_one(world: World) -> None:
    job_id = world.accept(*ALL)
    world.dies(FaultPoint.COMPLETED, job_id)
    world.deliver(job_id)
    assert len(accepted(world)) == 1 + len(ALL)
    batches = world.connection.execute("SELECT FROM job_batches").fetchall()
    assert len(batches) == 1


@pytest.mark.parametrize("point", [FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_summary_that_died_sums_up_the_same(world: World, point: FaultPoint) -> None:
    parent = world.syndicate(ZILLOW, FACEBOOK)
    world.platforms.fail_next(1, platform=ZILLOW, status=422)
    for job_id in children(parent).values():
        world.deliver(job_id)
    summary_id = UUID(parent.result["summaryJobId"])
    world.dies(point, summary_id)
    summary = world.deliver(summary_id)
    assert (summary.status, summary.result["failed"]) == ("completed", ["zillow"])


def test_the_same_again_is_another_batch_that_sends_nothing(world: World) -> None:
    deliver_all(world, world.syndicate(ZILLOW, FACEBOOK))
    again = world.syndicate(ZILLOW, FACEBOOK)
    deliver_all(world, again)
    assert all(world.run.read(each).result["unchanged"] for each in children(again).values())
    assert len(world.platforms.requests) == 2


# --- what is refused before anything is split ------------------------------------------------------------------


def test_nobody_elses_listing_is_split(world: World) -> None:
    job = world.run(world.handler, world.payload(*ALL), organization_id=world.seeded.other_organization_id)
    assert (job.status, job.error) == ("failed", "the organization has no such listing")
    assert len(accepted(world)) == 1


def test_what_is_not_on_the_market_is_not_split(world: World) -> None:
    world.change("status", "withdrawn")
    assert world.syndicate(*ALL).status == "cancelled"
    assert len(accepted(world)) == 1
    assert world.syndicate(*ALL, action="remove").status == "completed"


def test_nobody_else_can_sum_up(world: World) -> None:
    payload = world.payload(*ALL).model_copy(update={"summarize": True})
    job = world.run(world.handler, payload, organization_id=world.seeded.organization_id)
    assert job.status == "failed"
    assert "leave it out" in (job.error or "")
