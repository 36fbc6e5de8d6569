"""The six platforms beside a worker, and what tests look at and change around it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from infra.local.background import Background
from infra.local.platforms import Advertisement, ListingPlatforms
from infra.local.platforms.server import Received
from infra.seed import Seeded
from shared import database
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.envelope import Envelope
from shared.fault_points import Crash, FaultPoint, armed
from shared.jobs.syndicate_listing import Platform, SyndicateListing
from shared.rows import Execution
from shared.testing import Jobs
from tests.integration.delivering import Context, event
from tests.integration.workers.conftest import LEASE, Runner


class World:
    """A listing on the market, an account on each platform, and a worker."""

    def __init__(
        self,
        connection: Connection,
        run: Runner,
        seeded: Seeded,
        platforms: ListingPlatforms,
        background: Background,
        jobs: Jobs,
    ) -> None:
        self.connection, self.run, self.seeded, self.platforms = connection, run, seeded, platforms
        self.background, self.jobs = background, jobs
        # It asks for its environment when it is imported.
        self.handler = import_module("functions.syndicate_listing.handler").handler
        self.listing_id = seeded.listing_id
        self.reference = str(seeded.listing_id)

    # --- jobs -----------------------------------------------------------------------------------------------

    def payload(
        self, *platforms: Platform, action: str = "publish", listing_id: int | None = None
    ) -> SyndicateListing:
        return SyndicateListing.model_validate(
            {
                "listing_id": self.listing_id if listing_id is None else listing_id,
                "platforms": list(platforms),
                "action": action,
            }
        )

    def accept(self, *platforms: Platform, action: str = "publish") -> UUID:
        return enqueue(
            self.payload(*platforms, action=action), organization_id=self.seeded.organization_id, user_id=7
        )

    def deliver(self, job_id: UUID) -> Execution:
        """One delivery; the job as it stands then."""
        self.run.deliver(self.handler, job_id)
        return self.run.read(job_id)

    def deliver_in_thread(self, job_id: UUID) -> None:
        """As another Lambda would, beside the test."""
        self.answer(job_id)

    def wait_for_lock(self, worker: threading.Thread) -> None:
        """Return once the worker waits for another one's row."""
        waiting = (
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while self.connection.execute(waiting.encode()).fetchone() is None:
            assert worker.is_alive(), "it did not wait"

    def answer(self, job_id: UUID) -> dict[str, Any]:
        """What a delivery is answered."""
        row = self.run.read(job_id)
        message = Envelope(job_id=job_id, publication=row.publication, type=row.job_type, payload=row.payload)
        answered: dict[str, Any] = self.handler(event(message.to_wire()), Context())
        return answered

    def syndicate(self, *platforms: Platform, action: str = "publish") -> Execution:
        """Accept a job and deliver it once."""
        return self.deliver(self.accept(*platforms, action=action))

    def dies(self, point: FaultPoint, job_id: UUID) -> None:
        """The process dies there; its lease runs out."""
        with armed(point), pytest.raises(Crash):
            self.run.deliver(self.handler, job_id)
        database.discard()
        self.jobs.advance(LEASE)

    # --- what is there --------------------------------------------------------------------------------------

    def row(self, platform: Platform) -> dict[str, Any] | None:
        return self.connection.execute(
            "SELECT * FROM app.listing_syndications WHERE listing_id = %s AND platform = %s",
            [self.listing_id, platform.value],
        ).fetchone()

    def standing(self, platform: Platform) -> dict[str, Any]:
        row = self.row(platform)
        assert row is not None
        return row

    def advertised(self, platform: Platform) -> Advertisement | None:
        return self.platforms.advertised(platform).get(self.reference)

    def requests(self, platform: Platform) -> list[Received]:
        return [each for each in self.platforms.requests if each.platform is platform]

    def change(self, column: str, value: object) -> None:
        """Change the listing."""
        self.connection.execute(
            f"UPDATE app.listings SET {column} = %s WHERE id = %s".encode(), [value, self.listing_id]
        )


@contextmanager
def world(
    connection: Connection,
    run: Runner,
    seeded: Seeded,
    environment: pytest.MonkeyPatch,
    background: Background,
) -> Iterator[World]:
    """All of it, until the test ends."""
    platforms = ListingPlatforms(port=0)
    background.call(platforms.start())
    for name, value in platforms.environment.items():
        environment.setenv(name, value)
    try:
        with Jobs(keep=True) as jobs:
            yield World(connection, run, seeded, platforms, background, jobs)
    finally:
        background.call(platforms.stop())
