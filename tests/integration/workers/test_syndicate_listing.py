"""syndicate-listing for one platform: what it has afterwards, and what the row says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from infra.local.aws import REGION, LocalAws
from infra.local.background import Background
from infra.local.platforms import feeds
from infra.seed import Seeded
from shared import secrets
from shared.database import Connection
from shared.jobs.syndicate_listing import Platform
from tests.integration.workers import syndicating
from tests.integration.workers.conftest import Runner
from tests.integration.workers.syndicating import World

each_platform = pytest.mark.parametrize("platform", list(Platform))
ZILLOW, FACEBOOK, CRAIGSLIST, STREETEASY = (
    Platform.ZILLOW,
    Platform.FACEBOOK,
    Platform.CRAIGSLIST,
    Platform.STREETEASY,
)


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


# --- publish, update, remove ---------------------------------------------------------------------------------


@each_platform
def test_the_platform_gets_a_feed_in_its_format(world: World, platform: Platform) -> None:
    job = world.syndicate(platform)
    home = world.advertised(platform)
    assert (job.status, job.error) == ("completed", None)
    assert home is not None
    feeds.check(platform, home.feed)
    row = world.standing(platform)
    assert (row["status"], row["external_id"]) == ("published", home.external_id)
    assert (row["error"], row["job_id"], row["removed_at"]) == (None, job.job_id, None)
    assert row["published_at"] is not None
    assert row["last_attempt_at"] is not None
    assert job.result == {
        "platform": platform.value,
        "status": "published",
        "externalId": home.external_id,
        "externalUrl": None if platform is Platform.REALTOR else home.url,
        "unchanged": False,
    }


@each_platform
def test_it_is_taken_down_again(world: World, platform: Platform) -> None:
    world.syndicate(platform)
    job = world.syndicate(platform, action="remove")
    assert job.status == "completed"
    assert world.advertised(platform) is None
    row = world.standing(platform)
    assert (row["status"], row["external_id"], row["feed_checksum"]) == ("removed", None, None)
    assert row["removed_at"] is not None


@each_platform
def test_to_remove_what_was_never_there_is_done(world: World, platform: Platform) -> None:
    job = world.syndicate(platform, action="remove")
    assert (job.status, world.standing(platform)["status"]) == ("completed", "removed")
    assert [each.status for each in world.requests(platform)] == [404]


def test_a_second_job_for_the_same_listing_sends_nothing(world: World) -> None:
    world.syndicate(ZILLOW)
    job = world.syndicate(ZILLOW)
    assert job.result["unchanged"]
    assert len(world.requests(ZILLOW)) == 1
    row = world.standing(ZILLOW)
    assert (row["status"], row["job_id"]) == ("published", job.job_id)


@pytest.mark.parametrize("action", ["publish", "update"])
def test_a_changed_listing_takes_the_place_of_the_old_one(world: World, action: str) -> None:
    world.syndicate(ZILLOW)
    first = world.standing(ZILLOW)
    world.change("title", "Quiet studio")
    job = world.syndicate(ZILLOW, action=action)
    row = world.standing(ZILLOW)
    assert (job.result["status"], row["status"], row["published_at"]) == (
        "updated",
        "updated",
        first["published_at"],
    )
    assert row["feed_checksum"] != first["feed_checksum"]
    home = world.advertised(ZILLOW)
    assert home is not None
    assert b"Quiet studio" in home.feed


def test_an_update_of_what_is_not_there_publishes_it(world: World) -> None:
    assert world.syndicate(ZILLOW, action="update").result["status"] == "published"


def test_what_was_removed_can_be_published_again(world: World) -> None:
    world.syndicate(STREETEASY)
    world.syndicate(STREETEASY, action="remove")
    assert world.syndicate(STREETEASY).result["status"] == "published"
    assert world.advertised(STREETEASY) is not None
    assert world.standing(STREETEASY)["removed_at"] is None


# --- what may be advertised ----------------------------------------------------------------------------------


def test_what_is_not_on_the_market_is_not_advertised(world: World) -> None:
    for status in ("draft", "rented", "withdrawn"):
        world.change("status", status)
        job = world.syndicate(ZILLOW)
        assert (job.status, job.error) == (
            "cancelled",
            f"the listing is {status}, and only an active one is advertised",
        )
    assert (world.requests(ZILLOW), world.row(ZILLOW)) == ([], None)


@each_platform
def test_but_it_can_be_taken_down(world: World, platform: Platform) -> None:
    world.syndicate(platform)
    world.change("status", "rented")
    assert world.syndicate(platform, action="remove").status == "completed"
    assert world.advertised(platform) is None


def test_nobody_elses_listing(world: World, connection: Connection) -> None:
    other = connection.execute(
        "SELECT id FROM app.listings WHERE organization_id = %s AND status = 'active' LIMIT 1",
        [world.seeded.other_organization_id],
    ).fetchone()
    assert other is not None
    for listing_id in (other["id"], 2**62):
        for action in ("publish", "remove"):
            payload = world.payload(ZILLOW, action=action, listing_id=listing_id)
            job = world.run(world.handler, payload, organization_id=world.seeded.organization_id)
            assert (job.status, job.error) == ("failed", "the organization has no such listing")
    assert world.platforms.requests == []


def test_without_an_organization_there_is_no_listing(world: World) -> None:
    job = world.run(world.handler, world.payload(ZILLOW))
    assert job.status == "failed"
    assert "organization_id" in (job.error or "")


def test_a_listing_that_lacks_what_a_platform_insists_on(world: World) -> None:
    world.syndicate(FACEBOOK)
    world.change("photos", "[]")
    world.change("square_feet", None)
    job = world.syndicate(FACEBOOK)
    assert job.status == "failed"
    assert job.error == ("facebook: the listing lacks what the platform insists on: photos, square_feet")
    assert world.standing(FACEBOOK)["error"] in job.error
    assert world.syndicate(FACEBOOK, action="remove").status == "completed"
    assert world.advertised(FACEBOOK) is None


def test_a_city_that_craigslist_has_no_area_for(world: World) -> None:
    world.change("city", "Nome")
    job = world.syndicate(CRAIGSLIST)
    assert job.status == "failed"
    assert "no craigslist area is known for Nome, WA" in (job.error or "")


def test_characters_that_xml_forbids_are_left_out(world: World) -> None:
    world.change("title", "Bright\x0b <b>loft</b> & \ufffestudio\x1f")
    world.syndicate(ZILLOW)
    home = world.advertised(ZILLOW)
    assert home is not None
    assert b"<name>Bright &lt;b&gt;loft&lt;/b&gt; &amp; studio</name>" in home.feed


# --- accounts ------------------------------------------------------------------------------------------------


def test_without_an_account_the_job_says_what_to_set(world: World, environment: pytest.MonkeyPatch) -> None:
    environment.delenv("ZILLOW_API_KEY")
    job = world.syndicate(ZILLOW)
    assert job.status == "failed"
    assert "set ZILLOW_API_KEY (entries of the secret SYNDICATION_SECRET_ARN)" in (job.error or "")
    assert world.standing(ZILLOW)["status"] == "failed"
    assert world.syndicate(ZILLOW, action="remove").status == "completed"  # nothing can be there


def test_what_is_there_cannot_be_removed_without_an_account(
    world: World, environment: pytest.MonkeyPatch
) -> None:
    world.syndicate(ZILLOW)
    environment.delenv("ZILLOW_ENDPOINT")
    job = world.syndicate(ZILLOW, action="remove")
    assert job.status == "failed"
    row = world.standing(ZILLOW)
    assert (row["status"], row["external_id"]) == ("failed", f"zillow-{world.reference}")


@pytest.mark.parametrize("endpoint", ["zillow.example.com", "ftp://zillow.example.com"])
def test_an_endpoint_that_is_no_url(world: World, environment: pytest.MonkeyPatch, endpoint: str) -> None:
    environment.setenv("ZILLOW_ENDPOINT", endpoint)
    job = world.syndicate(ZILLOW)
    assert (job.status, job.error) == (
        "failed",
        "zillow: ZILLOW_ENDPOINT must be an absolute http(s) URL",
    )


def test_a_secret_that_cannot_be_read_may_hold_the_account(
    world: World, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("ZILLOW_API_KEY")
    environment.setenv("SYNDICATION_SECRET_ARN", "arn:aws:secretsmanager:::secret:syndication")
    environment.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "1")
    for action in ("publish", "remove"):
        assert world.syndicate(ZILLOW, action=action).status == "retrying"


def test_a_key_that_was_changed_meanwhile_is_read_anew(
    world: World, environment: pytest.MonkeyPatch, aws: LocalAws
) -> None:
    entries = {name: value for name, value in world.platforms.environment.items() if "ZILLOW" in name}
    for name in entries:
        environment.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        environment.setenv(name, value)
    arn = aws.create_secret("syndication", entries)
    environment.setenv("SYNDICATION_SECRET_ARN", arn)
    stale = json.dumps(entries | {"ZILLOW_API_KEY": "old"})
    secrets._cache[f"secret {arn}"] = (0.0, stale)  # read long ago
    assert world.syndicate(ZILLOW).status == "completed"
    assert [each.status for each in world.requests(ZILLOW)] == [401, 201]
