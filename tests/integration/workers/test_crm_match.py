"""crm-match: which leads a listing suits, what is stored of it, and when the agent is told."""

from __future__ import annotations

import threading

import pytest

from infra.seed import Seeded
from shared import database
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint, armed
from shared.jobs.crm_match import CrmMatch
from shared.testing import Jobs
from tests.integration.workers.conftest import LEASE, Runner
from tests.integration.workers.matching import World


@pytest.fixture
def world(connection: Connection, run: Runner, seeded: Seeded) -> World:
    return World(connection, run, seeded)


def test_who_it_suits_is_stored_and_told(world: World) -> None:
    job = world.match()
    matches = world.matches()
    fitting = matches[world.seeded.fitting_lead_id]
    assert world.seeded.unfitting_lead_id not in matches
    assert fitting["score"] == 100
    assert (fitting["agent_id"], fitting["job_id"]) == (world.seeded.agent_id, job.job_id)
    assert sum(reason["points"] for reason in fitting["reasons"]) == fitting["score"]
    assert {"criterion", "points", "of", "note"} == set(fitting["reasons"][0])
    (mail,) = world.mails()
    assert (mail.organization_id, mail.user_id) == (world.seeded.organization_id, 7)
    data = mail.payload["data"]
    assert mail.payload["template"] == "leadMatches"
    assert data["listingUrl"] == f"https://app.example.com/listings/{world.seeded.listing_id}"
    assert data["matches"][0]["score"] == 100
    assert data["matches"][0]["reason"].startswith("Within budget, in ")
    assert job.status == "completed"
    assert job.result["matches"] == job.result["changed"] == len(matches)
    assert job.result["told"] == len(data["matches"]) == data["total"]
    assert job.result["removed"] == 0


def test_only_the_agents_open_leads_are_looked_at(world: World) -> None:
    world.change("leads", "status", "closed")
    job = world.match()
    assert (job.result["leads"], world.matches(), world.mails()) == (0, {}, [])


def test_another_agents_leads_are_not_looked_at(world: World, connection: Connection) -> None:
    connection.execute("UPDATE app.leads SET cities = '{}', zips = '{}', budget_max = NULL")
    job = world.match()
    row = connection.execute(
        "SELECT count(*) AS leads FROM app.leads WHERE agent_id = %s AND status <> 'closed'",
        [world.seeded.agent_id],
    ).fetchone()
    assert row is not None
    assert job.result["leads"] == row["leads"]
    assert {each["agent_id"] for each in world.matches().values()} == {world.seeded.agent_id}


# --- again -----------------------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing_and_tells_nobody(world: World) -> None:
    first = world.match()
    before = world.matches()
    second = world.match()
    assert world.matches() == before
    assert (second.result["matches"], second.result["changed"]) == (first.result["matches"], 0)
    assert second.result["told"] == 0
    assert len(world.mails()) == 1


def test_a_redelivery_does_nothing(world: World) -> None:
    job = world.match()
    world.run.deliver(world.handler, job.job_id)
    assert len(world.mails()) == 1


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_dead_before_the_commit_nothing_is_there(world: World, jobs: Jobs, point: FaultPoint) -> None:
    job_id = world.accept()
    with armed(point), pytest.raises(Crash):
        world.run.deliver(world.handler, job_id)
    database.discard()
    assert (world.matches(), world.mails()) == ({}, [])
    jobs.advance(LEASE)
    assert jobs.drain(CrmMatch).completed == 1
    assert len(world.matches()) > 0
    assert len(world.mails()) == 1


def test_dead_after_the_commit_nothing_is_there_twice(world: World) -> None:
    job_id = world.accept()
    with armed(FaultPoint.COMPLETED), pytest.raises(Crash):
        world.run.deliver(world.handler, job_id)
    database.discard()
    before = world.matches()
    world.run.deliver(world.handler, job_id)
    assert world.matches() == before != {}
    assert len(world.mails()) == 1


def test_two_at_once_tell_once(world: World) -> None:
    jobs = [world.accept(), world.accept()]
    threads = [threading.Thread(target=world.run.deliver, args=[world.handler, job_id]) for job_id in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [world.run.read(job_id).status for job_id in jobs] == ["completed", "completed"]
    assert len(world.mails()) == 1


# --- what changes ----------------------------------------------------------------------------------------------


def test_a_dearer_home_suits_fewer(world: World) -> None:
    world.match()
    assert len(world.matches()) > 0
    world.change("listings", "price", 10**9)
    job = world.match()
    assert (world.matches(), job.result["removed"] > 0, len(world.mails())) == ({}, True, 1)


def test_a_changed_score_is_told_again(world: World) -> None:
    lead_id = world.only_lead(budget_max=100_000)
    world.change("listings", "price", 110_000)
    world.match()
    assert world.matches()[lead_id]["score"] == 88
    world.change("listings", "price", 100_000)
    job = world.match()
    assert (world.matches()[lead_id]["score"], job.result["changed"], len(world.mails())) == (100, 1, 2)


def test_what_is_not_good_enough_to_tell_is_stored(world: World) -> None:
    lead_id = world.only_lead(budget_max=100_000, bedrooms_max=0, bathrooms_min=20)
    world.change("listings", "price", 110_000)
    world.change("listings", "bedrooms", 3)
    job = world.match()
    assert (world.matches()[lead_id]["score"], job.result["told"], world.mails()) == (63, 0, [])


def test_what_is_hardly_a_match_is_not_stored(world: World) -> None:
    world.only_lead(
        budget_max=100_000,
        bedrooms_max=0,
        bathrooms_min=20,
        move_in_to="2020-01-01",
    )
    world.change("listings", "price", 115_000)
    world.change("listings", "bedrooms", 3)
    world.change("listings", "available_from", "2026-01-01")
    assert (world.match().result["matches"], world.matches()) == (0, {})


def test_a_lead_who_has_changed_agents_is_the_new_ones(world: World, connection: Connection) -> None:
    lead_id = world.only_lead()
    world.match()
    other = connection.execute(
        "SELECT id FROM app.agents WHERE organization_id = %s AND id <> %s LIMIT 1",
        [world.seeded.organization_id, world.seeded.agent_id],
    ).fetchone()
    assert other is not None
    connection.execute("UPDATE app.leads SET agent_id = %s WHERE id = %s", [other["id"], lead_id])
    payload = CrmMatch(listing_id=world.seeded.listing_id, agent_id=other["id"])
    world.run(world.handler, payload, organization_id=world.seeded.organization_id)
    assert world.matches()[lead_id]["agent_id"] == other["id"]
    world.match()
    assert lead_id in world.matches()


@pytest.mark.parametrize("status", ["draft", "rented", "withdrawn"])
def test_what_is_off_the_market_suits_nobody(world: World, status: str) -> None:
    world.match()
    world.change("listings", "status", status)
    job = world.match()
    assert (job.status, job.result["matches"], world.matches()) == ("completed", 0, {})
    assert len(world.mails()) == 1
