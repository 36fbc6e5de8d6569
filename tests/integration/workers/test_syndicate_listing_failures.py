"""syndicate-listing when a platform says no, or nothing: for good, for now, and where people can see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from infra.local.background import Background
from infra.local.platforms.answers import posting
from infra.seed import Seeded
from shared.database import Connection
from shared.dispatcher import retry
from shared.jobs.syndicate_listing import Platform
from tests.integration.workers import syndicating
from tests.integration.workers.conftest import Runner
from tests.integration.workers.syndicating import World

ZILLOW, CRAIGSLIST, STREETEASY = Platform.ZILLOW, Platform.CRAIGSLIST, Platform.STREETEASY


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


def test_a_refusal_is_for_good_and_in_the_platforms_words(world: World) -> None:
    for status in (301, 400, 401, 403, 404, 409, 410, 422):
        world.platforms.fail_next(1, status=status, words="photos\n are  too small")
        job = world.syndicate(ZILLOW)
        assert (job.status, job.attempt) == ("failed", 1)
        assert job.error == f'zillow: HTTP {status}: {{"error": "photos\\n are too small"}}'
        row = world.standing(ZILLOW)
        assert (row["status"], f"zillow: {row['error']}", row["job_id"]) == ("failed", job.error, job.job_id)


def test_what_may_pass_is_tried_again(world: World) -> None:
    for status in (408, 425, 429, 500, 502, 503, 504):
        world.platforms.fail_next(1, status=status)
        world.change("title", f"After a {status}")
        job = world.syndicate(ZILLOW)
        assert job.status == "retrying"
        assert world.standing(ZILLOW)["status"] == "failed"  # an outage is visible while it lasts
        assert world.deliver(job.job_id).status == "completed"
        row = world.standing(ZILLOW)
        assert (row["status"] in {"published", "updated"}, row["error"]) == (True, None)


def test_words_without_end_are_cut(world: World) -> None:
    world.platforms.fail_next(1, status=400, words="no " * 10_000)
    job = world.syndicate(ZILLOW)
    assert len(job.error or "") < 600


def test_a_nul_in_the_answer_does_no_harm(world: World) -> None:
    world.platforms.fail_next(1, status=400, body=b"no\x00pe")
    assert world.syndicate(ZILLOW).error == "zillow: HTTP 400: nope"
    assert world.standing(ZILLOW)["error"] == "HTTP 400: nope"


@pytest.mark.parametrize("as_date", [False, True])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept_to(world: World, status: int, as_date: bool) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    world.platforms.fail_next(1, status=status, retry_after=at if as_date else "90")
    job_id = world.accept(ZILLOW)
    answer = world.answer(job_id)
    assert answer["statusCode"] == 503
    assert 85 <= int(answer["headers"]["Retry-After"]) <= 90


def test_the_network_may_come_back(world: World, environment: pytest.MonkeyPatch) -> None:
    there = world.platforms.environment["ZILLOW_ENDPOINT"]
    environment.setenv("ZILLOW_ENDPOINT", "http://127.0.0.1:1/zillow")
    job = world.syndicate(ZILLOW)
    assert job.status == "retrying"
    assert "zillow: it cannot be reached" in (job.error or "")
    environment.setenv("ZILLOW_ENDPOINT", there)
    assert world.deliver(job.job_id).status == "completed"


def test_the_last_attempts_error_stays_visible(world: World, connection: Connection) -> None:
    job_id = world.accept(ZILLOW)
    connection.execute("UPDATE job_executions SET max_attempts = 2 WHERE job_id = %s", [job_id])
    world.platforms.fail_next(2, status=500, words="on fire")
    world.deliver(job_id)
    assert world.deliver(job_id).status == "failed"
    assert "on fire" in world.standing(ZILLOW)["error"]


def test_an_earlier_version_stands_where_an_update_fails(world: World) -> None:
    world.syndicate(ZILLOW)
    first = world.standing(ZILLOW)
    world.change("price", 123_400)
    world.platforms.fail_next(1, status=422)
    assert world.syndicate(ZILLOW).status == "failed"
    row = world.standing(ZILLOW)
    assert row["status"] == "failed"
    assert (row["external_id"], row["published_at"]) == (first["external_id"], first["published_at"])
    assert world.syndicate(ZILLOW).result["status"] == "updated"


def test_what_failed_is_sent_again_though_the_feed_is_the_same(world: World) -> None:
    """The platform may have taken the one that it did not answer."""
    before = world.connection.execute(
        "SELECT description FROM app.listings WHERE id = %s", [world.listing_id]
    ).fetchone()
    assert before is not None
    world.syndicate(STREETEASY)
    world.change("description", "Another")
    world.platforms.fail_next(1, status=504)
    world.syndicate(STREETEASY)
    world.change("description", before["description"])
    assert not world.syndicate(STREETEASY).result["unchanged"]


def test_craigslists_no_comes_with_http_200(world: World) -> None:
    no = posting(world.reference, "WRONG_CATEGORY", "not <here>").body
    assert isinstance(no, bytes)
    world.platforms.fail_next(1, status=200, body=no)
    job = world.syndicate(CRAIGSLIST)
    assert (job.status, job.error) == ("failed", "craigslist: WRONG_CATEGORY: not <here>")


def test_a_replay_is_not_answered_with_the_old_no(world: World) -> None:
    world.platforms.fail_next(1, status=403)
    job = world.syndicate(ZILLOW)
    retry(job.job_id)
    assert world.deliver(job.job_id).status == "completed"
    keys = {each.idempotency_key for each in world.requests(ZILLOW)}
    assert len(keys) == 2
