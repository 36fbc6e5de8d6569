"""crm-match: what cannot be matched, what does no harm, and many leads."""

from __future__ import annotations

import tracemalloc

import pytest

from infra.seed import Seeded
from shared.database import Connection
from shared.jobs.crm_match import CrmMatch
from tests.integration.workers.conftest import Runner
from tests.integration.workers.matching import World

_LEADS = """
INSERT INTO app.leads (organization_id, agent_id, name, email, budget_max)
SELECT %(organization_id)s, %(agent_id)s, 'Lead ' || number, 'lead' || number || '@example.org',
    CASE WHEN number %% 2 = 0 THEN 10000000 ELSE 1 END
FROM generate_series(1, %(leads)s) AS number
"""


@pytest.fixture
def world(connection: Connection, run: Runner, seeded: Seeded) -> World:
    return World(connection, run, seeded)


def test_without_an_organization_there_are_no_leads(world: World) -> None:
    job = world.run(world.handler, world.payload)
    assert job.status == "failed"
    assert "organization_id" in (job.error or "")


def test_nobody_elses_listing_and_nobody_elses_agent(world: World, connection: Connection) -> None:
    other = connection.execute(
        "SELECT id, agent_id FROM app.listings WHERE organization_id = %s LIMIT 1",
        [world.seeded.other_organization_id],
    ).fetchone()
    assert other is not None
    ours = (world.seeded.listing_id, world.seeded.agent_id)
    for listing_id, agent_id in [
        (other["id"], ours[1]),
        (ours[0], other["agent_id"]),
        (2**62, ours[1]),
        (ours[0], 2**62),
        (other["id"], other["agent_id"]),
    ]:
        payload = CrmMatch(listing_id=listing_id, agent_id=agent_id)
        job = world.run(world.handler, payload, organization_id=world.seeded.organization_id)
        assert (job.status, job.error) == ("failed", "the organization has no such listing or no such agent")
    assert world.mails() == []


def test_an_agent_who_has_left_is_not_told(world: World) -> None:
    world.change("agents", "active", False)
    assert (world.match().status, world.mails()) == ("cancelled", [])


def test_matches_do_not_hang_on_a_mail_that_cannot_be_sent(world: World) -> None:
    world.change("agents", "email", "ada@localhost")
    job = world.match()
    assert (job.status, job.result["told"], world.mails()) == ("completed", 0, [])
    assert len(world.matches()) > 0


def test_names_that_no_mail_could_show_do_no_harm(world: World) -> None:
    world.only_lead(name="Ada\nLovelace\u202e " + "x" * 300)
    world.change("listings", "title", "A\r\n\u2028home " * 30)
    world.change("agents", "name", "\u200b")
    assert world.match().status == "completed"
    data = world.mails()[0].payload["data"]
    assert data["matches"][0]["leadName"].startswith("Ada Lovelace xxx")
    assert data["matches"][0]["reason"] == "No particular wishes"
    assert (len(data["matches"][0]["leadName"]), len(data["listingTitle"])) == (100, 100)


# --- many ------------------------------------------------------------------------------------------------------


def test_ten_thousand_leads(world: World) -> None:
    peaks = {}
    for leads in (2_000, 10_000):
        world.connection.execute("DELETE FROM app.leads WHERE agent_id = %s", [world.seeded.agent_id])
        key = {"organization_id": world.seeded.organization_id, "agent_id": world.seeded.agent_id}
        world.connection.execute(_LEADS.encode(), key | {"leads": leads})
        tracemalloc.start()
        job = world.match()
        peaks[leads] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (job.status, job.result["leads"], job.result["matches"]) == ("completed", leads, leads // 2)
    assert len(world.matches()) == 5_000
    best = world.mails()[-1].payload["data"]
    assert (len(best["matches"]), best["total"]) == (10, 5_000)
    assert peaks[10_000] < 1.5 * peaks[2_000]
